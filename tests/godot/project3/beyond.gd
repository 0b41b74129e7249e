# What our classes have beside Godot's API.
extends "res://suite.gd"


class Notes:
	extends Reference
	var said := []

	func note(word, other = null, _third = null) -> void:
		said.push_back(word if other == null else [word, other])

	func note_word(word) -> void:
		said.push_back(word)


func test_statistics():
	var made = yield(connected(), "completed")
	var pair = made[0]
	for _i in 10:
		made[1].put_packet(bytes([1, 2, 3]))
	check(yield(until(self, "has_packets", [made[2], 10]), "completed"), "packets")
	var stats: Dictionary = pair.a.get_stats()
	for key in ["packets_sent", "packets_received", "bytes_sent", "bytes_received", "congestion_window", "mtu"]:
		check(stats[key] is int and stats[key] > 0, key)
	equal([stats.dtls_version, stats.close_reason, stats.local_candidate_type], ["DTLS 1.2", "None", "host"], "texts")
	equal(stats.local_fingerprint, pair.b.get_stats().remote_fingerprint, "fingerprints")
	var trip: float = pair.a.get_round_trip_time()
	check(trip > 0 and trip < 1, "round trip time %f" % trip)
	check(pair.a.get_loss() >= 0.0 and pair.a.get_loss() < 0.5, "loss")
	equal(pair.a.get_max_message_size(), 4 * 1048576, "largest message")
	equal([made[1].get_stats().messages_sent, made[1].get_stats().bytes_sent, made[2].get_stats().waiting_messages], [10, 30, 10], "counts")
	done()


func test_signals_of_connection_and_channel():
	var pair = Pair.new()
	var states := Notes.new()
	var at_a := Notes.new()
	var at_b := Notes.new()
	pair.a.connect("connection_state_changed", states, "note")
	pair.a.connect("signaling_state_changed", at_a, "note_word")
	pollables = [pair]
	var channel = pair.a.create_data_channel("x")
	channel.connect("opened", at_a, "note_word", ["opened"])
	channel.connect("buffered_amount_low", at_a, "note_word", ["low"])
	channel.connect("closed", at_a, "note_word")
	channel.set_buffered_amount_low_threshold(1000)
	equal(channel.get_buffered_amount_low_threshold(), 1000, "threshold")
	pair.a.create_offer()
	check(yield(until(pair, "is_up"), "completed"), "connected")
	var other = pair.received[0]
	other.connect("message_received", at_b, "note_word", ["message"])
	other.connect("closing", at_b, "note_word", ["closing"])
	other.connect("closed", at_b, "note_word")
	var packet := PoolByteArray()
	packet.resize(200000)
	channel.put_packet(packet)
	check(yield(until(self, "says", [at_a.said, "low"]), "completed"), "low")
	check(yield(until(self, "says", [at_b.said, "message"]), "completed"), "a message")
	channel.close()
	check(yield(until(self, "says", [at_a.said, "Local"]), "completed"), "the end at a")
	check(yield(until(self, "says", [at_b.said, "Remote"]), "completed"), "the end at b")
	equal(at_a.said, [1, 0, "opened", "low", "Local"], "at a")
	equal(at_b.said, ["message", "closing", "Remote"], "at b")
	equal(states.said, [1, 2], "states")
	done()


func test_restart_ice():
	var made = yield(connected(), "completed")
	made[0].log_.clear()
	equal(made[0].a.restart_ice(), OK, "restart_ice")
	check(yield(until(self, "says", [made[0].log_, "b answer"]), "completed"), "a new offer and its answer")
	made[1].put_packet(bytes([5]))
	check(yield(until(self, "has_packets", [made[2], 1]), "completed"), "data goes on")
	done()


func test_configuration_keys():
	var certificate: Dictionary = WebRTCPeerConnection.new().generate_certificate()
	check(certificate.certificate.begins_with("-----BEGIN CERTIFICATE-----"), "a certificate")
	check("PRIVATE KEY-----" in certificate.privateKey, "a key")
	var first = yield(connected({}, "x", {"certificate": certificate}), "completed")
	var second = yield(connected({}, "x", {"certificate": certificate, "mtu": 1280, "includeLoopback": true}), "completed")
	equal(first[0].a.get_stats().local_fingerprint, second[0].a.get_stats().local_fingerprint, "the same identity")
	check(second[0].a.get_stats().mtu <= 1280, "mtu")
	check("PRIVATE KEY-----" in certificate.privateKey, "the script's dictionary is its own")
	var connection := WebRTCPeerConnection.new()
	for configuration in [{"iceTransportPolicy": "none"}, {"portRangeBegin": 70000}, {"mtu": "big"}, {"certificate": 5}, {"dscp": 64}, {"transportGoal": "fast"}, {"transportGoal": 1},
			{"maxMessageSize": 1}, {"includeLoopback": "yes"}, {"udpMuxPort": -1}]:
		check(connection.initialize(configuration) != OK, str(configuration))
	done()


# Three connections of one end, as a server has them, with one socket.
func test_one_udp_port_for_many_connections():
	var probe := PacketPeerUDP.new()
	var port := 20000 + int(OS.get_ticks_usec() % 20000)  # 3.2 does not say which port it chose
	while probe.listen(port) != OK:
		port += 1
	probe.close()
	var all := []
	for _i in 3:
		all.push_back(yield(connected({}, "x", {"udpMuxPort": port}), "completed"))
	pollables = []
	for made in all:
		pollables.push_back(made[0])
		check(made[0].a.get_stats().local_address.ends_with(":%d" % port), "the port")
	for i in 3:
		all[i][2].put_packet(bytes([i]))
	for i in 3:
		equal(yield(take(all[i][1], 1), "completed"), [bytes([i])], "what each gets")
	equal(WebRTCPeerConnection.new().initialize({"udpMuxPort": port, "dscp": 46}), ERR_INVALID_PARAMETER, "another dscp there")
	var other := port + 1
	while probe.listen(other) != OK:
		other += 1
	equal(WebRTCPeerConnection.new().initialize({"udpMuxPort": other}), ERR_INVALID_PARAMETER, "another program has it")
	probe.close()
	done()


func test_wrong_arguments_of_our_methods() -> void:
	var channel = WebRTCPeerConnection.new().create_data_channel("x")
	check(channel.set_buffered_amount_low_threshold("many") == null, "a text")
	check(channel.callv("set_buffered_amount_low_threshold", []) == null, "none")
	check(channel.callv("get_stats", [1]) == null, "one too many")
	equal(channel.get_buffered_amount_low_threshold(), 0, "threshold")
	channel.set_buffered_amount_low_threshold(7.0)
	equal(channel.get_buffered_amount_low_threshold(), 7, "a float that is whole")
	done()
