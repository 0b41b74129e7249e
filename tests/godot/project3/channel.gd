# WebRTCDataChannel and what PacketPeer makes of it.
extends "res://suite.gd"


func test_getters_say_what_was_asked_for():
	var made = yield(connected({"protocol": "spiel", "ordered": false, "maxRetransmits": 3, "priority": 512}, "Grüße 你好"), "completed")
	for channel in [made[1], made[2]]:
		equal(channel.get_label(), "Grüße 你好", "label")
		equal(channel.get_protocol(), "spiel", "protocol")
		equal(channel.is_ordered(), false, "ordered")
		equal(channel.get_max_retransmits(), 3, "retransmits")
		check(channel.get_max_packet_life_time() in [65535, -1], "life time")
		equal(channel.is_negotiated(), false, "negotiated")
		equal(channel.get_ready_state(), WebRTCDataChannel.STATE_OPEN, "state")
		equal(channel.write_mode, WebRTCDataChannel.WRITE_MODE_BINARY, "write mode")
		equal(channel.get_buffered_amount(), 0, "buffered")
		equal(channel.poll(), OK, "poll")
		equal(channel.get_priority(), 512 if channel == made[1] else channel.get_priority(), "priority")
	equal(made[1].get_id(), made[2].get_id(), "id")
	equal(made[1].get_id() % 2, 1, "the offerer's ids are odd")
	done()


func test_id_and_life_time_by_both_spellings() -> void:
	var connection := WebRTCPeerConnection.new()
	var documented = connection.create_data_channel("x", {"maxPacketLifeTime": 250})
	var engine = connection.create_data_channel("y", {"maxPacketLifetime": 1})
	equal(documented.get_id(), 65535, "id")
	equal(documented.get_ready_state(), WebRTCDataChannel.STATE_CONNECTING, "state")
	equal(documented.get_max_packet_life_time(), 250, "maxPacketLifeTime")
	equal(engine.get_max_packet_life_time(), 1, "maxPacketLifetime")
	done()


func test_options_that_contradict() -> void:
	var connection := WebRTCPeerConnection.new()
	for options in [{"negotiated": true}, {"negotiated": true, "id": 65535}, {"negotiated": true, "id": -1},
			{"maxRetransmits": 1, "maxPacketLifeTime": 1}, {"protocol": 5}, {"maxRetransmits": "many"}]:
		check(connection.create_data_channel("x", options) == null, "options " + str(options))
	var fifth = connection.create_data_channel("x", {"negotiated": true, "id": 5})
	check(fifth != null, "id 5")
	check(connection.create_data_channel("y", {"negotiated": true, "id": 5}) == null, "id 5 again")
	var converted = connection.create_data_channel("z", {"ordered": 0, "maxRetransmits": "7", "maxPacketLifeTime": -1})
	if check(converted != null, "values that can be converted"):
		equal([converted.is_ordered(), converted.get_max_retransmits()], [false, 7], "ordered, retransmits")
	done()


func test_negotiated_channels():
	var pair = Pair.new()
	pollables = [pair]
	var at_a = pair.a.create_data_channel("a's name", {"negotiated": true, "id": 7})
	var at_b = pair.b.create_data_channel("b's name", {"negotiated": true, "id": 7, "ordered": false})
	pair.a.create_offer()
	check(yield(until(self, "is_open", [at_a]), "completed"), "open at a")
	check(yield(until(self, "is_open", [at_b]), "completed"), "open at b")
	equal(pair.received.size(), 0, "channels received")
	equal([at_a.get_id(), at_a.is_negotiated(), at_a.get_label(), at_b.get_label()], [7, true, "a's name", "b's name"], "getters")
	equal(at_b.put_packet("to a".to_utf8()), OK, "put")
	equal(yield(take(at_a, 1), "completed"), ["to a".to_utf8()], "packets")
	done()


func test_packets_in_order_both_ways():
	var made = yield(connected(), "completed")
	var wanted := []
	for i in 1000:
		var packet := PoolByteArray()
		packet.resize(1 + i % 50)
		for j in packet.size():
			packet[j] = i % 256
		wanted.push_back(packet)
		equal([made[1].put_packet(packet), made[2].put_packet(packet)], [OK, OK], "put")
	var at_b = yield(take(made[2], 1000), "completed")
	var at_a = yield(take(made[1], 1000), "completed")
	equal(at_b, wanted, "packets at b")
	equal(at_a, wanted, "packets at a")
	done()


func test_a_packet_leaves_without_poll_of_the_sender():
	var made = yield(connected(), "completed")
	yield(frames(20), "completed")
	pollables = [made[0].b]
	made[1].put_packet(bytes([1]))
	equal(yield(take(made[2], 1, 2.0), "completed"), [bytes([1])], "packets")
	done()


func test_packets_of_a_frame_leave_together_when_its_scripts_have_run():
	var made = yield(connected(), "completed")
	var a = made[0].a
	yield(frames(20), "completed")
	pollables = [made[0].b]
	var packet := PoolByteArray()
	packet.resize(64)
	var before: int = a.get_stats().packets_sent
	for _i in 60:
		made[1].put_packet(packet)
	equal(a.get_stats().packets_sent, before, "packets that have left in put_packet()")
	yield(self, "idle_frame")
	yield(self, "idle_frame")
	var sent: int = a.get_stats().packets_sent - before
	check(sent > 0 and sent <= 10, "%d packets" % sent)
	equal(yield(take(made[2], 60), "completed").size(), 60, "messages")
	before = a.get_stats().packets_sent
	made[1].put_packet(packet)
	a.flush()
	equal(a.get_stats().packets_sent, before + 1, "flush()")
	var thread := Thread.new()
	thread.start(made[1], "put_packet", packet)
	thread.wait_to_finish()
	equal(a.get_stats().packets_sent, before + 2, "from another thread at once")
	made[1].put_packet(packet)
	a.close()
	equal(yield(take(made[2], 3), "completed").size(), 3, "what was put before the end")
	done()


func test_text_with_nul_and_utf8_arrives_as_it_is():
	var made = yield(connected(), "completed")
	var text := "aä你😀".to_utf8()
	text.append_array(bytes([0, 66, 0]))
	made[1].write_mode = WebRTCDataChannel.WRITE_MODE_TEXT
	equal(made[1].write_mode, WebRTCDataChannel.WRITE_MODE_TEXT, "write mode")
	equal(made[1].put_packet(text), OK, "put text")
	made[1].write_mode = WebRTCDataChannel.WRITE_MODE_BINARY
	equal(made[1].put_packet(bytes([0, 255])), OK, "put binary")
	check(yield(until(self, "has_packets", [made[2], 2]), "completed"), "two packets")
	equal([made[2].get_packet(), made[2].was_string_packet()], [text, true], "text")
	equal([made[2].get_packet(), made[2].was_string_packet()], [bytes([0, 255]), false], "binary")
	made[1].set_write_mode(5)
	equal(made[1].write_mode, WebRTCDataChannel.WRITE_MODE_BINARY, "a mode that is none changes nothing")
	done()


func test_no_packet_and_misuse():
	var early = WebRTCPeerConnection.new().create_data_channel("x")
	check(early.put_packet(bytes([1])) == FAILED, "before it is open")
	var made = yield(connected(), "completed")
	equal(made[2].get_packet(), PoolByteArray(), "packet")
	equal(made[2].get_packet_error(), ERR_UNAVAILABLE, "error")
	equal(made[1].put_packet(PoolByteArray()), OK, "an empty packet")
	made[1].put_packet(bytes([7]))
	equal(yield(take(made[2], 1), "completed"), [bytes([7])], "packets: the empty one was not sent")
	equal(made[2].get_packet_error(), OK, "error after a packet")
	made[1].close()
	equal(made[1].put_packet(bytes([1])), FAILED, "after close")
	done()


func test_large_packets():
	var made = yield(connected(), "completed")
	for size in [65536, 262144, 1048576, 4 * 1048576]:
		var packet := PoolByteArray()
		packet.resize(size)
		for i in range(0, size, 997):
			packet[i] = i % 256
		equal(made[1].put_packet(packet), OK, "put %d" % size)
		check(made[1].get_buffered_amount() > 0, "some of it is buffered")
		var packets = yield(take(made[2], 1, 30.0), "completed")
		check(packets.size() == 1 and packets[0] == packet, "%d bytes arrive" % size)
		check(yield(until(self, "is_drained", [made[1]]), "completed"), "nothing stays buffered")
	var too_large := PoolByteArray()
	too_large.resize(4 * 1048576 + 1)
	equal(made[1].put_packet(too_large), FAILED, "one byte more than the other end takes")
	equal(made[1].get_ready_state(), WebRTCDataChannel.STATE_OPEN, "the channel stays open")
	done()


func test_variants():
	var made = yield(connected(), "completed")
	var value := {"position": Vector2(1, 2), "names": ["a", "b"], "n": 5}
	equal(made[1].put_var(value), OK, "put_var")
	check(yield(until(self, "has_packets", [made[2], 1]), "completed"), "a packet")
	equal(made[2].get_var(), value, "get_var")
	done()


func test_unreliable_channels_deliver_where_nothing_is_lost():
	for options in [{"ordered": false, "maxRetransmits": 0}, {"ordered": true, "maxPacketLifeTime": 1},
			{"ordered": false, "maxPacketLifetime": 1}]:
		var made = yield(connected(options), "completed")
		var count := 0
		for i in 20:
			for j in 5:
				made[1].put_packet(bytes([i, j]))
			yield(frames(1), "completed")
			while made[2].get_available_packet_count() > 0:
				made[2].get_packet()
				count += 1
		count += yield(take(made[2], 100 - count), "completed").size()
		equal(count, 100, "packets with " + str(options))
	done()


func test_closing_one_channel_leaves_the_others():
	var made = yield(connected(), "completed")
	var pair = made[0]
	var second = pair.a.create_data_channel("second")
	check(yield(until(self, "has_size", [pair.received, 2]), "completed"), "a second channel, later")
	made[1].put_packet(bytes([1]))
	made[1].put_packet(bytes([2]))
	made[1].close()
	check(made[1].get_ready_state() in [WebRTCDataChannel.STATE_CLOSING, WebRTCDataChannel.STATE_CLOSED], "at once")
	check(yield(until(self, "is_closed", [made[2]]), "completed"), "at b")
	check(yield(until(self, "is_closed", [made[1]]), "completed"), "at a")
	equal(yield(take(made[2], 2), "completed"), [bytes([1]), bytes([2])], "what was sent before can be read")
	equal(second.put_packet(bytes([3])), OK, "the other channel")
	equal(yield(take(pair.received[1], 1), "completed"), [bytes([3])], "its packets")
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED, "the connection")
	done()


func test_packets_stay_readable_after_the_connection_ended():
	var made = yield(connected(), "completed")
	made[1].put_packet(bytes([1]))
	check(yield(until(self, "has_packets", [made[2], 1]), "completed"), "a packet waits")
	made[0].a.close()
	check(yield(until(self, "is_closed", [made[2]]), "completed"), "closed")
	equal(yield(take(made[2], 1), "completed"), [bytes([1])], "packets")
	done()


func test_dropping_a_channel_closes_it():
	var made = yield(connected(), "completed")
	var pair = made[0]
	var other = made[2]
	made.clear()
	check(yield(until(self, "is_closed", [other]), "completed"), "at b")
	equal(pair.is_connected_now(), true, "the connection")
	done()


func test_a_channel_that_nobody_keeps_is_refused():
	var pair = Pair.new()
	pollables = [pair]
	pair.b.disconnect("data_channel_received", pair, "_on_channel")
	var channel = pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(yield(until(self, "is_closed", [channel]), "completed"), "closed")
	equal(pair.is_connected_now(), true, "the connection")
	done()
