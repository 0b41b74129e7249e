# Starting over, letting go in the middle of things, and what is left behind: nothing.
extends "res://suite.gd"

const Pair := preload("res://pair.gd")


func count_in(folder: String) -> int:
	# Opening the folder takes a descriptor of its own, the same at each count.
	var entries := DirAccess.open(folder)
	entries.include_hidden = true
	return entries.get_directories().size() + entries.get_files().size()


func connected() -> Array:
	var pair := Pair.new()
	pollables = [pair]
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.received.size() == 1), "connected")
	return [pair, channel]


func test_initialize_starts_over() -> void:
	var made := await connected()
	var pair: Pair = made[0]
	var channel: WebRTCDataChannel = made[1]
	equal(pair.a.initialize(), OK, "initialize")
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	equal(pair.a.get_gathering_state(), WebRTCPeerConnection.GATHERING_STATE_NEW, "gathering")
	equal(pair.a.get_signaling_state(), WebRTCPeerConnection.SIGNALING_STATE_STABLE, "signaling")
	equal(channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "the former channel")
	pollables = [pair.b]
	check(await until(func() -> bool: return pair.b.get_connection_state() == WebRTCPeerConnection.STATE_CLOSED, 2.0),
			"the other end was told")
	equal(pair.b.initialize(), OK, "initialize at the other end")
	pair.received.clear()
	pollables = [pair]
	channel = pair.a.create_data_channel("again")
	equal(pair.a.create_offer(), OK, "a new offer")
	check(await until(func() -> bool: return pair.received.size() == 1 and pair.is_connected_now()), "connected again")
	equal(pair.received[0].get_label(), "again", "its channel")
	done()


func test_initialize_drops_signals_that_wait() -> void:
	var connection := WebRTCPeerConnection.new()
	var said := []
	connection.session_description_created.connect(func(type: String, _sdp: String) -> void: said.push_back(type))
	var _channel := connection.create_data_channel("x")
	connection.create_offer()
	connection.initialize()
	pollables = [connection]
	await frames(5)
	equal(said, [], "signals")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	done()


func test_handlers_may_end_everything() -> void:
	for deed in ["close", "initialize", "poll"]:
		var connection := WebRTCPeerConnection.new()
		var said := []
		connection.session_description_created.connect(func(type: String, _sdp: String) -> void: said.push_back(type))
		connection.session_description_created.connect(Callable(connection, deed).unbind(2))
		connection.ice_candidate_created.connect(func(_m: String, _i: int, _n: String) -> void: said.push_back("candidate"))
		var _channel := connection.create_data_channel("x")
		connection.create_offer()
		pollables = [connection]
		await frames(5)
		equal(said.count("offer"), 1, deed + " in the handler: offers")
		if deed == "poll":
			check(said.has("candidate"), "candidates after a poll in the handler")
		else:
			equal(said, ["offer"], deed + " in the handler: signals")
	done()


var kept: Array = []


func let_go() -> void:
	kept.clear()


func test_last_reference_dropped_in_a_handler() -> void:
	# The connection's own signal.
	kept = [WebRTCPeerConnection.new()]
	var weak: WeakRef = weakref(kept[0])
	kept[0].session_description_created.connect(let_go.unbind(2))
	kept.push_back(kept[0].create_data_channel("x"))
	kept[0].create_offer()
	pollables.clear()
	kept[0].call_deferred("poll")  # that caller holds no reference
	await process_frame
	await process_frame
	equal(kept.size(), 0, "the handler ran")
	check(weak.get_ref() == null, "the connection is gone")
	# The end of a connection and its channel in the handler of a message.
	var made := await connected()
	var pair: Pair = made[0]
	kept = [pair.received[0]]
	pair.received.clear()
	var weak_channel: WeakRef = weakref(kept[0])
	kept[0].message_received.connect(let_go)
	made[1].put_packet(PackedByteArray([1]))
	check(await until(func() -> bool: return kept.is_empty()), "the message came")
	check(weak_channel.get_ref() == null, "the channel is gone")
	check(await until(func() -> bool: return made[1].get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "and closed")
	done()


func test_channel_outlives_its_connection() -> void:
	var made := await connected()
	var channel: WebRTCDataChannel = made[1]
	made.clear()
	pollables.clear()
	await process_frame
	equal(channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "state")
	equal(channel.get_label(), "x", "label")
	check(channel.put_packet(PackedByteArray([1])) != OK, "put")
	equal(channel.get_available_packet_count(), 0, "packets")
	channel.close()
	done()


func test_free_in_the_handler_of_a_received_channel() -> void:
	var pair := Pair.new()
	pair.b.data_channel_received.connect(func(_channel: WebRTCDataChannel) -> void: pair.b.close())
	pollables = [pair]
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return channel.get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "closed at a")
	equal(pair.b.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED, "b")
	for c in pair.b.data_channel_received.get_connections():
		pair.b.data_channel_received.disconnect(c.callable)  # the lambda holds the pair
	done()


func test_hundred_connections_leave_nothing() -> void:
	var warm := await connected()
	warm.clear()
	pollables.clear()
	await frames(3)
	var descriptors := count_in("/proc/self/fd")
	var threads := count_in("/proc/self/task")
	var objects := Performance.get_monitor(Performance.OBJECT_COUNT)
	for round in 5:
		var pairs := []
		var channels := []
		for i in 10:
			pairs.push_back(Pair.new())
			channels.push_back(pairs[i].a.create_data_channel("x"))
			pairs[i].a.create_offer()
		pollables = pairs.duplicate()
		check(await until(func() -> bool: return pairs.all(func(p: Pair) -> bool: return p.received.size() == 1), 20.0),
				"10 pairs connect")
		equal(count_in("/proc/self/task"), threads, "threads")
		for i in 10:
			match i % 3:
				0: pairs[i].a.close()
				1: pairs[i].b.initialize()
				2: pass  # dropped below
		pollables.clear()
		pairs.clear()
		channels.clear()
		await frames(2)
	equal(count_in("/proc/self/fd"), descriptors, "descriptors")
	equal(count_in("/proc/self/task"), threads, "threads in the end")
	equal(Performance.get_monitor(Performance.OBJECT_COUNT), objects, "objects")
	check(descriptors > 0 and threads > 0, "counts")
	print("note: 100 connections opened and closed; %d threads and %d descriptors before and after" % [threads, descriptors])
	done()
