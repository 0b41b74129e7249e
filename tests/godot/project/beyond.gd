# What our classes have beside Godot's API.
extends "res://suite.gd"

const Pair := preload("res://pair.gd")


class Notes:
	extends RefCounted
	var said: Array = []

	func note(word: Variant) -> void:
		said.push_back(word)


func open(configuration := {}) -> Array:
	var pair := Pair.new()
	equal(pair.a.initialize(configuration), OK, "initialize " + str(configuration))
	pollables = [pair]
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.received.size() == 1), "connected with " + str(configuration))
	return [pair, channel]


func test_statistics() -> void:
	var made := await open()
	var pair: Pair = made[0]
	for i in 10:
		made[1].put_packet(PackedByteArray([1, 2, 3]))
	check(await until(func() -> bool: return pair.received[0].get_available_packet_count() == 10), "packets")
	var stats: Dictionary = pair.a.get_stats()
	for key in ["packets_sent", "packets_received", "bytes_sent", "bytes_received", "congestion_window", "mtu"]:
		check(stats[key] is int and stats[key] > 0, key)
	check(stats.messages_sent >= 10, "messages_sent")
	equal([stats.dtls_version, stats.close_reason, stats.local_candidate_type], ["DTLS 1.2", "None", "host"], "texts")
	equal(stats.local_fingerprint, pair.b.get_stats().remote_fingerprint, "fingerprints")
	check(stats.local_address.contains(":"), "an address")
	var trip: float = pair.a.get_round_trip_time()
	check(trip > 0 and trip < 1, "round trip time %f" % trip)
	check(pair.a.get_loss() >= 0.0 and pair.a.get_loss() < 0.5, "loss")
	equal(pair.a.get_max_message_size(), 4 * 1048576, "largest message")
	var channel_stats: Dictionary = made[1].get_stats()
	equal([channel_stats.messages_sent, channel_stats.bytes_sent], [10, 30], "the channel's counts")
	equal(pair.received[0].get_stats().messages_received, 10, "at the other end")
	equal(pair.received[0].get_stats().waiting_messages, 10, "unread")
	done()


func test_statistics_of_a_new_object() -> void:
	var connection := WebRTCPeerConnection.new()
	equal(connection.get_stats().packets_sent, 0, "packets_sent")
	check(connection.get_round_trip_time() < 0, "no round trip time")
	equal(connection.get_loss(), 0.0, "loss")
	done()


func test_state_signals_once_and_in_order() -> void:
	var pair := Pair.new()
	var states := Notes.new()
	var signaling := Notes.new()
	var gathering := Notes.new()
	pair.a.connection_state_changed.connect(states.note)
	pair.a.signaling_state_changed.connect(signaling.note)
	pair.a.gathering_state_changed.connect(gathering.note)
	pollables = [pair]
	var _channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.received.size() == 1), "connected")
	pair.b.close()
	check(await until(func() -> bool: return pair.a.get_connection_state() == WebRTCPeerConnection.STATE_CLOSED), "closed")
	await frames(2)
	equal(states.said, [1, 2, 5], "connection states")
	equal(gathering.said, [1, 2], "gathering states")
	equal(signaling.said.slice(0, 2), [1, 0], "signaling states")
	done()


func test_channel_signals() -> void:
	var pair := Pair.new()
	var at_a := Notes.new()
	var at_b := Notes.new()
	pollables = [pair]
	var channel := pair.a.create_data_channel("x")
	channel.opened.connect(at_a.note.bind("opened"))
	channel.closed.connect(at_a.note)
	channel.buffered_amount_low.connect(at_a.note.bind("low"))
	channel.buffered_amount_low_threshold = 1000
	equal(channel.buffered_amount_low_threshold, 1000, "the property")
	channel.set_buffered_amount_low_threshold(-5)
	equal(channel.get_buffered_amount_low_threshold(), 0, "a negative one is 0")
	channel.set_buffered_amount_low_threshold(1000)
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.received.size() == 1), "connected")
	var other: WebRTCDataChannel = pair.received[0]
	other.message_received.connect(at_b.note.bind("message"))
	other.closing.connect(at_b.note.bind("closing"))
	other.closed.connect(at_b.note)
	var packet := PackedByteArray()
	packet.resize(200000)
	channel.put_packet(packet)
	check(await until(func() -> bool: return at_a.said.has("low") and at_b.said.has("message")), "low, and a message")
	channel.close()
	check(await until(func() -> bool: return at_a.said.size() == 3 and at_b.said.size() == 3), "the end")
	equal(at_a.said, ["opened", "low", "Local"], "at a")
	equal(at_b.said, ["message", "closing", "Remote"], "at b")
	done()


# One end is silent for as long as loading a scene may take.
func test_a_frozen_end_is_not_dropped() -> void:
	var made := await open()
	var plain := await open({"reportDisconnected": true})
	var peers := [WebRTCMultiplayerPeer.new(), WebRTCMultiplayerPeer.new()]
	var pair := Pair.new()
	for i in 2:
		peers[i].create_mesh(i + 1)
	peers[0].add_peer(pair.a, 2)
	peers[1].add_peer(pair.b, 1)
	pair.a.create_offer()
	pollables = peers
	check(await until(func() -> bool: return peers[0].has_peer(2) and peers[0].get_peer(2).connected), "a mesh of two")
	var states := Notes.new()
	made[0].a.connection_state_changed.connect(states.note)
	pollables = [made[0].a, plain[0].a, peers[0]]  # the other ends are frozen
	var is_noticed := func() -> bool:
		return plain[0].a.get_connection_state() == WebRTCPeerConnection.STATE_DISCONNECTED and states.said == [3]
	check(await until(is_noticed, 20.0), "the silence is noticed")
	await seconds(2.0)
	equal(made[0].a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED, "the state")
	equal(peers[0].has_peer(2), true, "the mesh has its peer")
	pollables = [made[0], plain[0]] + peers
	made[1].put_packet(PackedByteArray([5]))
	check(await until(func() -> bool: return made[0].received[0].get_available_packet_count() == 1), "data goes on")
	check(await until(func() -> bool: return states.said.slice(0, 2) == [3, 2]), "the interruption is over")
	peers[0].put_packet(PackedByteArray([6]))
	check(await until(func() -> bool: return peers[1].get_available_packet_count() == 1), "in the mesh too")
	done()


func test_restart_ice() -> void:
	var fresh := WebRTCPeerConnection.new()
	check(fresh.restart_ice() != OK, "nothing to restart")
	var made := await open()
	var pair: Pair = made[0]
	pair.log.clear()
	equal(pair.a.restart_ice(), OK, "restart_ice")
	check(await until(func() -> bool: return pair.log.has("a offer") and pair.log.has("b answer")), "a new offer and its answer")
	made[1].put_packet(PackedByteArray([5]))
	check(await until(func() -> bool: return pair.received[0].get_available_packet_count() == 1), "data goes on")
	done()


func test_configuration_keys() -> void:
	var certificate: Dictionary = ClassDB.class_call_static("PollRTCPeerConnection", "generate_certificate")
	check(certificate.certificate.begins_with("-----BEGIN CERTIFICATE-----"), "a certificate")
	check(certificate.privateKey.contains("PRIVATE KEY-----"), "a key")
	var first := await open({"certificate": certificate})
	var second := await open({"certificate": certificate, "mtu": 1280, "includeLoopback": true, "dscp": 46, "transportGoal": "lowLatency"})
	equal(first[0].a.get_stats().local_fingerprint, second[0].a.get_stats().local_fingerprint, "the same identity")
	check(second[0].a.get_stats().mtu <= 1280, "mtu")
	var small := await open({"maxMessageSize": 2048, "sendBufferSize": 65536})
	equal(small[0].b.get_max_message_size(), 2048, "what b may send")
	done()


func test_port_range() -> void:
	var probe := PacketPeerUDP.new()
	probe.bind(0)
	var port := probe.get_local_port()  # one that was free a moment ago
	probe.close()
	var made := await open({"portRangeBegin": port, "portRangeEnd": port})
	check(made[0].a.get_stats().local_address.ends_with(":%d" % port), "the port")
	done()


# Three connections of one end, as a server has them, with one socket.
func test_one_udp_port_for_many_connections() -> void:
	var probe := PacketPeerUDP.new()
	probe.bind(0)
	var port := probe.get_local_port()
	probe.close()
	for wanted in [port, 0]:
		var all := []
		var addresses := {}
		for i in 3:
			var made := await open({"udpMuxPort": wanted})
			all.push_back(made)
			addresses[made[0].a.get_stats().local_address] = true
		pollables = all.map(func(made: Array) -> Pair: return made[0])
		equal(addresses.size(), 1, "addresses of the three ends with port %d" % wanted)
		check(wanted == 0 or addresses.keys()[0].ends_with(":%d" % port), "the port")
		for i in 3:
			all[i][0].received[0].put_packet(PackedByteArray([i]))
		for i in 3:
			check(await until(func() -> bool: return all[i][1].get_available_packet_count() == 1), "a packet at each")
			equal(all[i][1].get_packet(), PackedByteArray([i]), "its own")
		equal(WebRTCPeerConnection.new().initialize({"udpMuxPort": wanted, "dscp": 46}), ERR_INVALID_PARAMETER, "another dscp there")
	pollables.clear()
	await frames(1)
	equal(probe.bind(port), OK, "with the last of them the port is free again")
	equal(WebRTCPeerConnection.new().initialize({"udpMuxPort": port}), ERR_INVALID_PARAMETER, "another program has it")
	probe.close()
	equal(WebRTCPeerConnection.new().initialize({"udpMuxPort": port, "dscp": 46}), OK, "and any dscp will do")
	done()


func test_relay_only_shows_no_address() -> void:
	var connection := WebRTCPeerConnection.new()
	equal(connection.initialize({"iceTransportPolicy": "relay"}), OK, "initialize")
	var candidates := Notes.new()
	connection.ice_candidate_created.connect(candidates.note.unbind(2))
	var _channel := connection.create_data_channel("x")
	connection.create_offer()
	pollables = [connection]
	check(await until(func() -> bool: return connection.get_gathering_state() == WebRTCPeerConnection.GATHERING_STATE_COMPLETE), "gathered")
	await frames(2)
	equal(candidates.said, [], "candidates")
	done()


func test_configuration_that_cannot_be_used() -> void:
	var connection := WebRTCPeerConnection.new()
	for configuration in [{"iceTransportPolicy": "none"}, {"iceTransportPolicy": 1}, {"portRangeBegin": 70000},
			{"portRangeBegin": 9, "portRangeEnd": 8}, {"mtu": "big"}, {"mtu": -1}, {"certificate": 5}, {"dscp": 64}, {"transportGoal": "fast"}, {"transportGoal": 1},
			{"certificate": {"certificate": "x", "privateKey": "y"}}, {"maxMessageSize": 1}, {"sendBufferSize": 1},
			{"nat1to1": {"internal": "10.0.0.1"}}, {"nat1to1": "x"}, {"includeLoopback": "yes"},
			{"udpMuxPort": -1}, {"udpMuxPort": 65536}, {"udpMuxPort": "x"}, {"bundleMessages": "x"}, {"trustedCertificates": 1}, {"restartIceAutomatically": []}, {"iceLite": "no"}, {"reportDisconnected": "no"}]:
		check(connection.initialize(configuration) != OK, str(configuration))
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	done()


func test_server_that_fails() -> void:
	var connection := WebRTCPeerConnection.new()
	var notes := Notes.new()
	connection.ice_server_failed.connect(func(url: String, code: int, _text: String) -> void: notes.note([url, code]))
	# Nobody listens there: TCP says so at once.
	var url := "turn:127.0.0.1:9?transport=tcp"
	equal(connection.initialize({"iceServers": [{"urls": url, "username": "u", "credential": "c"}]}), OK, "initialize")
	var _channel := connection.create_data_channel("x")
	connection.create_offer()
	pollables = [connection]
	check(await until(func() -> bool: return notes.said.size() > 0), "ice_server_failed")
	equal(notes.said, [[url, 701]], "what it says")
	done()


func test_wrong_arguments_of_our_methods_are_refused() -> void:
	equal(ClassDB.class_get_method_argument_count("PollRTCDataChannel", "set_buffered_amount_low_threshold"), 1, "arguments")
	for method in ["get_stats", "get_round_trip_time", "get_loss", "restart_ice", "get_max_message_size", "generate_certificate"]:
		check(ClassDB.class_has_method("PollRTCPeerConnection", method, true), method)
	for word in ["connection_state_changed", "gathering_state_changed", "signaling_state_changed", "ice_server_failed"]:
		check(ClassDB.class_has_signal("PollRTCPeerConnection", word), word)
	for word in ["opened", "closing", "closed", "message_received", "buffered_amount_low"]:
		check(ClassDB.class_has_signal("PollRTCDataChannel", word), word)
	done()
