# WebRTCPeerConnection: states, signals and their order, descriptions, candidates, misuse, the end.
extends "res://suite.gd"

const Pair := preload("res://pair.gd")


class Ears:
	extends RefCounted
	var said: Array = []
	var last_type := ""
	var last_sdp := ""

	func listen(connection: WebRTCPeerConnection) -> void:
		connection.session_description_created.connect(_on_description)
		connection.ice_candidate_created.connect(_on_candidate)

	func _on_description(type: String, sdp: String) -> void:
		said.push_back(type)
		last_type = type
		last_sdp = sdp

	func _on_candidate(media: String, index: int, name: String) -> void:
		said.push_back("candidate")
		if media == "" or index != 0 or not name.begins_with("candidate:"):
			said.push_back("wrong candidate " + name)


func test_new_object_is_ready_without_initialize() -> void:
	var connection := WebRTCPeerConnection.new()
	equal(connection.get_class(), "PollRTCPeerConnection", "class")
	check(connection is WebRTCPeerConnectionExtension, "its base")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "connection state")
	equal(connection.get_gathering_state(), WebRTCPeerConnection.GATHERING_STATE_NEW, "gathering state")
	equal(connection.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE, "signaling state")
	equal(connection.poll(), OK, "poll")
	check(connection.create_data_channel("x") != null, "a channel")
	equal(connection.create_offer(), OK, "an offer")
	done()


func test_initialize_takes_what_godot_documents() -> void:
	var connection := WebRTCPeerConnection.new()
	equal(connection.initialize(), OK, "nothing")
	equal(connection.initialize({}), OK, "an empty dictionary")
	equal(connection.initialize({"iceServers": []}), OK, "no servers")
	equal(connection.initialize({"iceServers": [{"urls": ["stun:127.0.0.1:3478", "stun:127.0.0.1"]}]}), OK, "STUN")
	equal(connection.initialize({"iceServers": [{"urls": "stun:127.0.0.1"}]}), OK, "one url as a string")
	equal(connection.initialize({"iceServers": [{"urls": PackedStringArray(["stun:127.0.0.1"])}]}), OK, "packed urls")
	equal(connection.initialize({"iceServers": [{"urls": ["turn:127.0.0.1:3478?transport=udp"], "username": "u",
			"credential": "c"}]}), OK, "TURN")
	equal(connection.initialize({"something else": 1, 7: 8, "iceServers": null}), OK, "unknown keys")
	equal(connection.initialize({"iceServers": {"urls": "stun:127.0.0.1"}}), OK, "iceServers that is no array is ignored")
	done()


func test_initialize_refuses_what_it_cannot_use() -> void:
	var connection := WebRTCPeerConnection.new()
	connection.create_data_channel("x")
	connection.create_offer()
	for servers in [[7], ["stun:127.0.0.1"], [{}], [{"urls": 5}], [{"urls": []}], [{"urls": [5]}], [{"urls": ["stun:127.0.0.1", 5]}],
			[{"urls": "stun:"}],
			[{"urls": "http://127.0.0.1"}], [{"urls": "stun:host:99999"}], [{"urls": "turn:127.0.0.1"}],
			[{"urls": "stun:127.0.0.1", "username": 5}]]:
		equal(connection.initialize({"iceServers": servers}), ERR_INVALID_PARAMETER, "iceServers " + str(servers))
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTING, "the old connection goes on")
	var circle := {}
	circle["iceServers"] = [circle]
	equal(connection.initialize(circle), ERR_INVALID_PARAMETER, "a dictionary that contains itself")
	circle.clear()
	done()


func test_offer_needs_a_channel_and_comes_once() -> void:
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	equal(connection.create_offer(), FAILED, "no channel")
	pollables = [connection]
	await frames(5)
	equal(ears.said, [], "signals")
	connection.create_data_channel("x")
	equal(connection.create_offer(), OK, "with one")
	equal(connection.create_offer(), FAILED, "again")
	done()


func test_signals_come_from_poll_alone_and_in_order() -> void:
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	connection.create_data_channel("x")
	connection.create_offer()
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTING, "connection state")
	equal(connection.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_HAVE_LOCAL_OFFER, "signaling state")
	for i in 3:
		await process_frame
	equal(ears.said, [], "signals without poll")
	connection.poll()
	equal(ears.said.slice(0, 2), ["offer", "candidate"], "the first signals")
	equal(ears.said.count("offer"), 1, "offers")
	check(await until(func() -> bool:
		connection.poll()
		return connection.get_gathering_state() == WebRTCPeerConnection.GATHERING_STATE_COMPLETE), "gathering ends")
	equal(ears.said.filter(func(word: String) -> bool: return word.begins_with("wrong")), [], "candidates")
	equal(connection.set_local_description(ears.last_type, ears.last_sdp), OK, "its own description")
	equal(connection.set_local_description("offer", "v=0"), ERR_INVALID_PARAMETER, "another one")
	done()


func test_two_ends_connect() -> void:
	var pair := Pair.new()
	pollables = [pair]
	var _channel := pair.a.create_data_channel("chat")
	equal(pair.a.create_offer(), OK, "create_offer")
	check(await until(func() -> bool: return pair.received.size() == 1 and pair.is_connected_now()), "connected")
	equal(pair.a.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE, "signaling at a")
	equal(pair.b.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE, "signaling at b")
	equal(pair.b.get_gathering_state(), WebRTCPeerConnection.GATHERING_STATE_COMPLETE, "gathering at b")
	var b_log: Array = pair.log.filter(func(word: String) -> bool: return word.begins_with("b "))
	equal([b_log.front(), b_log.back()], ["b answer", "b channel chat"], "what b said first and last")
	equal(pair.log[0], "a offer", "what was said first")
	done()


func test_candidates_may_come_before_the_description() -> void:
	var a := WebRTCPeerConnection.new()
	var b := WebRTCPeerConnection.new()
	var descriptions := []
	var candidates := []
	var answers := []
	a.session_description_created.connect(func(type: String, sdp: String) -> void: descriptions.push_back([type, sdp]))
	a.ice_candidate_created.connect(func(m: String, i: int, n: String) -> void: candidates.push_back([m, i, n]))
	b.session_description_created.connect(func(type: String, sdp: String) -> void: answers.push_back([type, sdp]))
	pollables = [a, b]
	a.create_data_channel("x")
	a.create_offer()
	await until(func() -> bool: return a.get_gathering_state() == WebRTCPeerConnection.GATHERING_STATE_COMPLETE)
	await frames(2)
	for c in candidates:
		equal(b.add_ice_candidate(c[0], c[1], "a=" + c[2]), OK, "an early candidate")
	equal(b.set_remote_description("offer", descriptions[0][1]), OK, "the offer")
	check(await until(func() -> bool: return answers.size() == 1), "the answer")
	# Nothing of b's candidates reaches a: it finds b by its checks.
	equal(a.set_remote_description("answer", answers[0][1]), OK, "set the answer")
	check(await until(func() -> bool: return a.get_connection_state() == WebRTCPeerConnection.STATE_CONNECTED), "connected")
	done()


func test_descriptions_that_cannot_be_used() -> void:
	var connection := WebRTCPeerConnection.new()
	for type in ["", "Offer", "something"]:
		check(connection.set_remote_description(type, "v=0") != OK, "type " + type)
	for sdp in ["", "v=0", "nonsense", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n"]:
		check(connection.set_remote_description("offer", sdp) != OK, "sdp " + sdp.c_escape())
	check(connection.set_remote_description("answer", "v=0") != OK, "an answer without an offer")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	equal(connection.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE, "signaling")
	done()


func test_an_offer_of_nothing_is_answered_and_no_obstacle() -> void:
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	equal(connection.set_remote_description("offer", "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"), OK, "set")
	pollables = [connection]
	await frames(3)
	equal(ears.said, ["answer"], "signals")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	equal(connection.get_gathering_state(), WebRTCPeerConnection.GATHERING_STATE_NEW, "gathering")
	var channel := connection.create_data_channel("x")
	check(channel != null, "a channel")
	equal(connection.create_offer(), OK, "an offer of something")
	done()


func test_candidates_that_cannot_be_used() -> void:
	var pair := Pair.new()
	pollables = [pair]
	pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.is_connected_now()), "connected")
	check(pair.a.add_ice_candidate("0", 0, "nonsense") != OK, "no candidate")
	check(pair.a.add_ice_candidate("0", 0, "candidate:1 1 udp") != OK, "half a candidate")
	equal(pair.a.add_ice_candidate("0", 0, ""), OK, "the end of candidates")
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED, "state")
	done()


func test_close_tells_the_other_end_at_once() -> void:
	var pair := Pair.new()
	pollables = [pair]
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.received.size() == 1 and pair.is_connected_now()), "connected")
	pair.a.close()
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED, "state")
	equal(pair.a.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_CLOSED, "signaling")
	equal(channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "its channel")
	pollables = [pair.b]  # a is polled no more
	check(await until(func() -> bool: return pair.b.get_connection_state() == WebRTCPeerConnection.STATE_CLOSED, 2.0),
			"the other end is CLOSED")
	equal(pair.received[0].get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "the other end's channel")
	equal(pair.a.poll(), OK, "poll")
	equal(pair.a.create_offer(), FAILED, "create_offer")
	check(pair.a.set_remote_description("offer", "v=0") != OK, "set_remote_description")
	check(pair.a.create_data_channel("y") == null, "create_data_channel")
	check(channel.put_packet(PackedByteArray([1])) != OK, "put_packet")
	pair.a.close()
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED, "state after a second close")
	done()


func test_close_drops_signals_that_wait() -> void:
	var connection := WebRTCPeerConnection.new()
	var ears := Ears.new()
	ears.listen(connection)
	connection.create_data_channel("x")
	connection.create_offer()
	connection.close()
	pollables = [connection]
	await frames(5)
	equal(ears.said, [], "signals")
	done()


func test_losing_the_last_reference_is_close() -> void:
	var pair := Pair.new()
	pollables = [pair]
	var _channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.received.size() == 1), "connected")
	pollables = [pair.b]
	pair.a = null
	check(await until(func() -> bool: return pair.b.get_connection_state() == WebRTCPeerConnection.STATE_CLOSED, 2.0),
			"the other end is CLOSED")
	done()


func test_an_answerer_may_answer_in_its_handler_and_offer_crossing_is_refused() -> void:
	var a := WebRTCPeerConnection.new()
	var b := WebRTCPeerConnection.new()
	var offers := []
	for connection: WebRTCPeerConnection in [a, b]:
		connection.create_data_channel("x")
		connection.session_description_created.connect(func(_type: String, sdp: String) -> void: offers.push_back(sdp))
		connection.create_offer()
		connection.poll()
	equal(offers.size(), 2, "two offers")
	a.close()
	check(b.set_remote_description("answer", "nonsense") != OK, "nonsense for an answer")
	equal(b.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_HAVE_LOCAL_OFFER, "b waits on")
	done()
