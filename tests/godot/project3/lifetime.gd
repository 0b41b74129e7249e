# Starting over, letting go in the middle of things, and what is left behind: nothing.
extends "res://suite.gd"


class Deeds:
	extends Reference
	var said := []
	var deed := ""
	var connection: WebRTCPeerConnection

	func _on_description(type: String, _sdp: String) -> void:
		said.push_back(type)
		if deed != "":
			connection.call(deed)

	func _on_candidate(_media: String, _index: int, _name: String) -> void:
		said.push_back("candidate")


var kept := []


func let_go(_a = null, _b = null) -> void:
	kept.clear()


func close_b(_channel: Object, pair) -> void:
	pair.b.close()


func is_empty(array: Array) -> bool:
	return array.empty()


func all_up(pairs: Array) -> bool:
	for pair in pairs:
		if pair.received.size() == 0:
			return false
	return true


func count_in(folder: String) -> int:
	var directory := Directory.new()
	directory.open(folder)
	directory.list_dir_begin(true)
	var count := 0
	while directory.get_next() != "":
		count += 1
	directory.list_dir_end()
	return count


func test_initialize_starts_over():
	var made = yield(connected(), "completed")
	var pair = made[0]
	equal(pair.a.initialize(), OK, "initialize")
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	equal([pair.a.get_gathering_state(), pair.a.get_signaling_state()], [0, 0], "gathering, signaling")
	equal(made[1].get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "the former channel")
	pollables = [pair.b]
	check(yield(until(self, "has_state", [pair.b, WebRTCPeerConnection.STATE_CLOSED], 2.0), "completed"), "the other end was told")
	equal(pair.b.initialize(), OK, "initialize at the other end")
	pair.received.clear()
	pollables = [pair]
	var _again = pair.a.create_data_channel("again")
	equal(pair.a.create_offer(), OK, "a new offer")
	check(yield(until(pair, "is_up"), "completed"), "connected again")
	equal(pair.received[0].get_label(), "again", "its channel")
	done()


func test_initialize_drops_signals_that_wait():
	var connection := WebRTCPeerConnection.new()
	var ears := Deeds.new()
	connection.connect("session_description_created", ears, "_on_description")
	var _channel = connection.create_data_channel("x")
	connection.create_offer()
	connection.initialize()
	pollables = [connection]
	yield(frames(5), "completed")
	equal(ears.said, [], "signals")
	equal(connection.get_connection_state(), WebRTCPeerConnection.STATE_NEW, "state")
	done()


func test_handlers_may_end_everything():
	for deed in ["close", "initialize", "poll"]:
		var ears := Deeds.new()
		ears.deed = deed
		ears.connection = WebRTCPeerConnection.new()
		ears.connection.connect("session_description_created", ears, "_on_description")
		ears.connection.connect("ice_candidate_created", ears, "_on_candidate")
		var _channel = ears.connection.create_data_channel("x")
		ears.connection.create_offer()
		pollables = [ears.connection]
		yield(frames(5), "completed")
		equal(ears.said.count("offer"), 1, deed + " in the handler: offers")
		equal(ears.said.has("candidate"), deed == "poll", deed + " in the handler: candidates")
	done()


func test_last_reference_dropped_in_a_handler():
	kept = [WebRTCPeerConnection.new()]
	var weak := weakref(kept[0])
	kept[0].connect("session_description_created", self, "let_go")
	kept.push_back(kept[0].create_data_channel("x"))
	kept[0].create_offer()
	kept[0].call_deferred("poll")  # that caller holds no reference
	yield(self, "idle_frame")
	yield(self, "idle_frame")
	equal(kept.size(), 0, "the handler ran")
	check(weak.get_ref() == null, "the connection is gone")
	# The end of a channel in the handler of its own message.
	var made = yield(connected(), "completed")
	kept = [made[2]]
	made[0].received.clear()
	made[2] = null
	weak = weakref(kept[0])
	kept[0].connect("message_received", self, "let_go")
	made[1].put_packet(bytes([1]))
	check(yield(until(self, "is_empty", [kept]), "completed"), "the message came")
	check(weak.get_ref() == null, "the channel is gone")
	check(yield(until(self, "is_closed", [made[1]]), "completed"), "and closed")
	done()


func test_channel_outlives_its_connection():
	var made = yield(connected(), "completed")
	var channel = made[1]
	made.clear()
	pollables = []
	yield(self, "idle_frame")
	equal(channel.get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "state")
	equal(channel.get_label(), "chat", "label")
	check(channel.put_packet(bytes([1])) != OK, "put")
	equal(channel.get_available_packet_count(), 0, "packets")
	channel.close()
	done()


func test_close_in_the_handler_of_a_received_channel():
	var pair = Pair.new()
	pair.b.connect("data_channel_received", self, "close_b", [pair])
	pollables = [pair]
	var channel = pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(yield(until(self, "is_closed", [channel]), "completed"), "closed at a")
	equal(pair.b.get_connection_state(), WebRTCPeerConnection.STATE_CLOSED, "b")
	pair.b.disconnect("data_channel_received", self, "close_b")
	done()


func test_a_channel_without_a_connection_answers() -> void:
	var orphan = ClassDB.instance("WebRTCDataChannelGDNative")
	orphan.set_script(WebRTCPeerConnection.new().create_data_channel("x").get_script())
	equal([orphan.get_label(), orphan.get_stats().size(), orphan.get_priority()], ["", 0, 0], "our methods")
	orphan.set_buffered_amount_low_threshold(5)
	equal(orphan.get_buffered_amount_low_threshold(), 5, "threshold")
	done()


func test_hundred_connections_leave_nothing():
	var descriptors := 0
	var threads := 0
	var objects := 0
	for turn in 6:  # the first is to warm up
		var pairs := []
		var channels := []
		for i in 10:
			pairs.push_back(Pair.new())
			channels.push_back(pairs[i].a.create_data_channel("x"))
			pairs[i].a.create_offer()
		pollables = pairs.duplicate()
		check(yield(until(self, "all_up", [pairs], 20.0), "completed"), "10 pairs connect")
		if turn > 0:
			equal(count_in("/proc/self/task"), threads, "threads")
		for i in 10:
			if i % 3 == 0:
				pairs[i].a.close()
			elif i % 3 == 1:
				pairs[i].b.initialize()
		pollables = []
		pairs.clear()
		channels.clear()
		yield(frames(2), "completed")
		if turn == 0:
			descriptors = count_in("/proc/self/fd")
			threads = count_in("/proc/self/task")
			objects = int(Performance.get_monitor(Performance.OBJECT_COUNT))
	equal(count_in("/proc/self/fd"), descriptors, "descriptors")
	equal(count_in("/proc/self/task"), threads, "threads in the end")
	equal(int(Performance.get_monitor(Performance.OBJECT_COUNT)), objects, "objects")
	check(descriptors > 0 and threads > 0, "counts")
	print("note: 100 connections opened and closed; %d threads and %d descriptors before and after" % [threads, descriptors])
	done()
