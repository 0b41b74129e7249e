# WebRTCDataChannel and what PacketPeer makes of it.
extends "res://suite.gd"

const Pair := preload("res://pair.gd")

var pair: Pair


# A channel of a's and what came of it at b.
func connected(options := {}, label := "chat") -> Array:
	pair = Pair.new()
	pollables = [pair]
	var channel := pair.a.create_data_channel(label, options)
	if not check(channel != null, "a channel with " + str(options)):
		return []
	pair.a.create_offer()
	var is_open := func() -> bool: return pair.received.size() == 1 and is_channel_open(channel)
	if not check(await until(is_open), "both ends open"):
		return []
	return [channel, pair.received[0]]


func is_channel_open(channel: WebRTCDataChannel) -> bool:
	return channel.get_ready_state() == WebRTCDataChannel.STATE_OPEN


func take(channel: WebRTCDataChannel, count: int, within := 10.0) -> Array:
	await until(func() -> bool: return channel.get_available_packet_count() >= count, within)
	var packets := []
	while channel.get_available_packet_count() > 0:
		packets.push_back(channel.get_packet())
	return packets


func test_getters_say_what_was_asked_for() -> void:
	var ends := await connected({"protocol": "spiel", "ordered": false, "maxRetransmits": 3, "priority": 512}, "Grüße 你好")
	for channel: WebRTCDataChannel in ends:
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
	equal(ends[0].get_id(), ends[1].get_id(), "id")
	equal(ends[0].get_id() % 2, 1, "the offerer's ids are odd")
	done()


func test_id_is_unset_until_it_is_known() -> void:
	var connection := WebRTCPeerConnection.new()
	var channel := connection.create_data_channel("x")
	equal(channel.get_id(), 65535, "id")
	equal(channel.get_ready_state(), WebRTCDataChannel.STATE_CONNECTING, "state")
	done()


func test_life_time_by_both_spellings() -> void:
	var connection := WebRTCPeerConnection.new()
	var documented := connection.create_data_channel("x", {"maxPacketLifeTime": 250})
	var engine := connection.create_data_channel("y", {"maxPacketLifetime": 1})
	equal(documented.get_max_packet_life_time(), 250, "maxPacketLifeTime")
	equal(engine.get_max_packet_life_time(), 1, "maxPacketLifetime")
	done()


func test_options_that_contradict() -> void:
	var connection := WebRTCPeerConnection.new()
	for options in [{"negotiated": true}, {"negotiated": true, "id": 65535}, {"negotiated": true, "id": -1},
			{"maxRetransmits": 1, "maxPacketLifeTime": 1}, {"protocol": 5}, {"maxRetransmits": "many"}]:
		check(connection.create_data_channel("x", options) == null, "options " + str(options))
	var fifth := connection.create_data_channel("x", {"negotiated": true, "id": 5})
	check(fifth != null, "id 5")
	check(connection.create_data_channel("y", {"negotiated": true, "id": 5}) == null, "id 5 again")
	var converted := connection.create_data_channel("z", {"ordered": 0, "maxRetransmits": "7", "maxPacketLifeTime": -1})
	if check(converted != null, "values that can be converted"):
		equal(converted.is_ordered(), false, "ordered")
		equal(converted.get_max_retransmits(), 7, "retransmits")
	done()


func test_negotiated_channels() -> void:
	pair = Pair.new()
	pollables = [pair]
	var at_a := pair.a.create_data_channel("a's name", {"negotiated": true, "id": 7})
	var at_b := pair.b.create_data_channel("b's name", {"negotiated": true, "id": 7, "ordered": false})
	pair.a.create_offer()
	check(await until(func() -> bool: return is_channel_open(at_a) and is_channel_open(at_b)), "both open")
	equal(pair.received.size(), 0, "channels received")
	equal([at_a.get_id(), at_a.is_negotiated(), at_a.get_label(), at_b.get_label()], [7, true, "a's name", "b's name"], "getters")
	equal(at_b.put_packet("to a".to_utf8_buffer()), OK, "put")
	equal(await take(at_a, 1), ["to a".to_utf8_buffer()], "packets")
	done()


func test_packets_in_order_both_ways() -> void:
	var ends := await connected()
	var wanted := []
	for i in 1000:
		var packet := PackedByteArray()
		packet.resize(1 + i % 50)
		packet.fill(i % 256)
		wanted.push_back(packet)
		equal(ends[0].put_packet(packet), OK, "put")
		equal(ends[1].put_packet(packet), OK, "put")
	var at_b := await take(ends[1], 1000)
	var at_a := await take(ends[0], 1000)
	check(at_b == wanted, "packets at b")
	check(at_a == wanted, "packets at a")
	done()


func test_a_packet_leaves_without_poll_of_the_sender() -> void:
	var ends := await connected()
	await frames(20)
	pollables = [pair.b]
	ends[0].put_packet(PackedByteArray([1]))
	equal((await take(ends[1], 1, 2.0)).size(), 1, "packets")
	done()


func packets_sent() -> int:
	return pair.a.get_stats().packets_sent


func test_packets_of_a_frame_leave_together_when_its_scripts_have_run() -> void:
	var ends := await connected()
	await frames(20)
	pollables = [pair.b]
	var packet := PackedByteArray()
	packet.resize(64)
	var before := packets_sent()
	for i in 60:
		ends[0].put_packet(packet)
	equal(packets_sent(), before, "packets that have left in put_packet()")
	await process_frame
	await process_frame
	check(packets_sent() > before and packets_sent() <= before + 10, "%d packets" % (packets_sent() - before))
	equal((await take(ends[1], 60)).size(), 60, "messages")
	before = packets_sent()
	ends[0].put_packet(packet)
	pair.a.flush()
	equal(packets_sent(), before + 1, "flush()")
	ends[0].put_packet(packet)
	pair.a.poll()
	check(packets_sent() > before + 1, "poll()")
	equal((await take(ends[1], 2)).size(), 2, "messages")
	done()


func test_packets_leave_at_once_without_bundling_and_in_other_threads() -> void:
	var ends := await connected()
	await frames(20)
	pollables.clear()
	var before := packets_sent()
	var thread := Thread.new()
	thread.start(ends[0].put_packet.bind(PackedByteArray([1])))
	equal(thread.wait_to_finish(), OK, "put in a thread")
	equal(packets_sent(), before + 1, "packets of another thread")
	pair = Pair.new()
	pollables = [pair]
	pair.a.initialize({"bundleMessages": false})
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return is_channel_open(channel)), "open")
	await frames(20)
	before = packets_sent()
	for i in 3:
		channel.put_packet(PackedByteArray([i]))
	equal(packets_sent(), before + 3, "packets")
	done()


func test_what_was_put_before_the_end_leaves_before_it() -> void:
	for deed in ["close", "initialize"]:
		var ends := await connected()
		ends[0].put_packet(PackedByteArray([7]))
		pair.a.call(deed)
		pollables = [pair.b]
		equal(await take(ends[1], 1, 2.0), [PackedByteArray([7])], deed)
	done()


func test_text_with_nul_and_utf8_arrives_as_it_is() -> void:
	var ends := await connected()
	var text := "a\u00e4\u4f60\U01f600".to_utf8_buffer()
	text.append_array(PackedByteArray([0, 66, 0]))
	ends[0].write_mode = WebRTCDataChannel.WRITE_MODE_TEXT
	equal(ends[0].write_mode, WebRTCDataChannel.WRITE_MODE_TEXT, "write mode")
	equal(ends[0].put_packet(text), OK, "put text")
	ends[0].write_mode = WebRTCDataChannel.WRITE_MODE_BINARY
	equal(ends[0].put_packet(PackedByteArray([0, 255])), OK, "put binary")
	check(await until(func() -> bool: return ends[1].get_available_packet_count() == 2), "two packets")
	equal(ends[1].get_packet(), text, "text")
	equal(ends[1].was_string_packet(), true, "the first was text")
	equal(ends[1].get_packet(), PackedByteArray([0, 255]), "binary")
	equal(ends[1].was_string_packet(), false, "the second was not")
	ends[0].set_write_mode(5)
	equal(ends[0].write_mode, WebRTCDataChannel.WRITE_MODE_BINARY, "a mode that is none changes nothing")
	done()


func test_no_packet() -> void:
	var ends := await connected()
	equal(ends[1].get_packet(), PackedByteArray(), "packet")
	equal(ends[1].get_packet_error(), ERR_UNAVAILABLE, "error")
	equal(ends[0].put_packet(PackedByteArray()), OK, "an empty packet")
	ends[0].put_packet(PackedByteArray([7]))
	equal(await take(ends[1], 1), [PackedByteArray([7])], "packets: the empty one was not sent")
	equal(ends[1].get_packet_error(), OK, "error after a packet")
	done()


func test_put_needs_an_open_channel() -> void:
	var connection := WebRTCPeerConnection.new()
	var early := connection.create_data_channel("x")
	equal(early.put_packet(PackedByteArray([1])), FAILED, "before it is open")
	var ends := await connected()
	ends[0].close()
	equal(ends[0].put_packet(PackedByteArray([1])), FAILED, "after close")
	done()


func test_large_packets() -> void:
	var ends := await connected()
	for size in [65536, 262144, 1048576, 4 * 1048576]:
		var packet := PackedByteArray()
		packet.resize(size)
		for i in range(0, size, 997):
			packet[i] = i % 256
		equal(ends[0].put_packet(packet), OK, "put %d" % size)
		check(ends[0].get_buffered_amount() > 0, "some of it is buffered")
		var packets := await take(ends[1], 1, 30.0)
		check(packets.size() == 1 and packets[0] == packet, "%d bytes arrive" % size)
		check(await until(func() -> bool: return ends[0].get_buffered_amount() == 0), "nothing stays buffered")
	var too_large := PackedByteArray()
	too_large.resize(4 * 1048576 + 1)
	equal(ends[0].put_packet(too_large), FAILED, "one byte more than the other end takes")
	equal(ends[0].get_ready_state(), WebRTCDataChannel.STATE_OPEN, "the channel stays open")
	done()


func test_variants() -> void:
	var ends := await connected()
	var value := {"position": Vector2(1, 2), "names": ["a", "b"], "n": 5}
	equal(ends[0].put_var(value), OK, "put_var")
	check(await until(func() -> bool: return ends[1].get_available_packet_count() == 1), "a packet")
	equal(ends[1].get_var(), value, "get_var")
	done()


func test_unreliable_channels_deliver_where_nothing_is_lost() -> void:
	for options in [{"ordered": false, "maxRetransmits": 0}, {"ordered": true, "maxPacketLifeTime": 1},
			{"ordered": false, "maxPacketLifetime": 1}]:
		var ends := await connected(options)
		var count := 0
		for i in 20:
			for j in 5:
				ends[0].put_packet(PackedByteArray([i, j]))
			await frames(1)
			while ends[1].get_available_packet_count() > 0:
				ends[1].get_packet()
				count += 1
		count += (await take(ends[1], 100 - count)).size()
		equal(count, 100, "packets with " + str(options))
	done()


func test_closing_one_channel_leaves_the_others() -> void:
	var ends := await connected()
	var second := pair.a.create_data_channel("second")
	check(await until(func() -> bool: return pair.received.size() == 2), "a second channel, later")
	ends[0].put_packet(PackedByteArray([1]))
	ends[0].put_packet(PackedByteArray([2]))
	ends[0].close()
	check(ends[0].get_ready_state() in [WebRTCDataChannel.STATE_CLOSING, WebRTCDataChannel.STATE_CLOSED], "at once")
	check(await until(func() -> bool: return ends[1].get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "at b")
	check(await until(func() -> bool: return ends[0].get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "at a")
	equal(await take(ends[1], 2), [PackedByteArray([1]), PackedByteArray([2])], "what was sent before can be read")
	equal(second.put_packet(PackedByteArray([3])), OK, "the other channel")
	equal(await take(pair.received[1], 1), [PackedByteArray([3])], "its packets")
	equal(pair.a.get_connection_state(), WebRTCPeerConnection.STATE_CONNECTED, "the connection")
	done()


func test_packets_stay_readable_after_the_connection_ended() -> void:
	var ends := await connected()
	ends[0].put_packet(PackedByteArray([1]))
	check(await until(func() -> bool: return ends[1].get_available_packet_count() == 1), "a packet waits")
	pair.a.close()
	check(await until(func() -> bool: return ends[1].get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "closed")
	equal(await take(ends[1], 1), [PackedByteArray([1])], "packets")
	done()


func test_dropping_a_channel_closes_it() -> void:
	var ends := await connected()
	var other: WebRTCDataChannel = ends[1]
	ends.clear()
	check(await until(func() -> bool: return other.get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "at b")
	equal(pair.is_connected_now(), true, "the connection")
	done()


func test_received_channel_is_open_and_holds_what_came_with_it() -> void:
	pair = Pair.new()
	pollables = [pair]
	var states := []
	pair.b.data_channel_received.connect(func(channel: WebRTCDataChannel) -> void:
		states.push_back([channel.get_ready_state(), channel.is_negotiated(), channel.get_class()]))
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return channel.get_ready_state() == WebRTCDataChannel.STATE_OPEN), "open")
	channel.put_packet(PackedByteArray([9]))
	equal(await take(pair.received[0], 1), [PackedByteArray([9])], "packets")
	equal(states, [[WebRTCDataChannel.STATE_OPEN, false, "PollRTCDataChannel"]], "in the handler")
	done()


func test_a_channel_that_nobody_keeps_is_refused() -> void:
	pair = Pair.new()
	pollables = [pair]
	pair.b.data_channel_received.disconnect(pair._on_channel)
	var channel := pair.a.create_data_channel("x")
	pair.a.create_offer()
	check(await until(func() -> bool: return pair.is_connected_now()), "connected")
	check(await until(func() -> bool: return channel.get_ready_state() == WebRTCDataChannel.STATE_CLOSED), "closed")
	done()


func test_an_orphan_answers() -> void:
	var orphan: WebRTCDataChannel = ClassDB.instantiate("PollRTCDataChannel")
	equal(orphan.get_ready_state(), WebRTCDataChannel.STATE_CLOSED, "state")
	equal([orphan.get_label(), orphan.get_protocol(), orphan.get_id()], ["", "", 65535], "label, protocol, id")
	equal([orphan.is_ordered(), orphan.is_negotiated(), orphan.was_string_packet()], [true, false, false], "flags")
	equal([orphan.get_max_retransmits(), orphan.get_max_packet_life_time()], [65535, 65535], "limits")
	equal(orphan.put_packet(PackedByteArray([1])), FAILED, "put")
	equal([orphan.get_packet(), orphan.get_packet_error()], [PackedByteArray(), ERR_UNAVAILABLE], "get")
	equal([orphan.get_available_packet_count(), orphan.get_buffered_amount(), orphan.poll()], [0, 0, OK], "the rest")
	orphan.write_mode = WebRTCDataChannel.WRITE_MODE_TEXT
	equal(orphan.write_mode, WebRTCDataChannel.WRITE_MODE_TEXT, "write mode")
	orphan.close()
	equal(orphan.get_stats(), {}, "get_stats")
	done()
