# What a frame costs: nothing, one connection that is idle, and 60 messages a frame. Run without the plugin it says what
# a frame costs there, and how many threads the engine has.
extends "res://suite.gd"

const Pair := preload("res://pair.gd")
const FRAMES := 1000

var spent := 0


# The frame's whole time and the part of it that the work takes, in microseconds; the least of three runs.
func measure(what: String, work: Callable) -> void:
	var frame := INF
	var part := INF
	for run in 3:
		spent = 0
		var began := Time.get_ticks_usec()
		for i in FRAMES:
			work.call()
			await process_frame
		frame = minf(frame, float(Time.get_ticks_usec() - began) / FRAMES)
		part = minf(part, float(spent) / FRAMES)
	check(frame > 0, "time passes")
	print("note: %-44s %7.1f us a frame, of which %6.1f us in the calls" % [what, frame, part])


func timed(work: Callable) -> void:
	var began := Time.get_ticks_usec()
	work.call()
	spent += Time.get_ticks_usec() - began


func test_cost_of_a_frame() -> void:
	Engine.max_fps = 0
	OS.low_processor_usage_mode_sleep_usec = 1  # else a window that cannot draw sleeps 6.9 ms a frame
	var has_plugin := ClassDB.class_exists("PollRTCPeerConnection")
	var threads := DirAccess.get_directories_at("/proc/self/task").size()
	print("note: %s the plugin: %d threads" % ["with" if has_plugin else "without", threads])
	await measure("with the plugin, no connection" if has_plugin else "without the plugin", func() -> void: pass)
	if has_plugin:
		await measure_connection()
		equal(DirAccess.get_directories_at("/proc/self/task").size(), threads, "threads")
	done()


func measure_connection() -> void:
	var pair := Pair.new()
	pollables = [pair]
	var channel := pair.a.create_data_channel("x", {"ordered": false, "maxRetransmits": 0})
	pair.a.create_offer()
	if not check(await until(func() -> bool: return pair.received.size() == 1), "connected"):
		return
	var other: WebRTCDataChannel = pair.received[0]
	await measure("one idle connection", func() -> void:
		timed(func() -> void: pair.a.poll())
		pair.b.poll())
	var packet := PackedByteArray()
	packet.resize(64)
	var got := [0]
	await measure("60 messages of 64 bytes a frame, sent", func() -> void:
		timed(func() -> void:
			for i in 60:
				channel.put_packet(packet)
			pair.a.poll())
		pair.b.poll()
		while other.get_available_packet_count() > 0:
			other.get_packet()
			got[0] += 1)
	await measure("60 messages of 64 bytes a frame, received", func() -> void:
		for i in 60:
			channel.put_packet(packet)
		pair.a.poll()
		timed(func() -> void:
			pair.b.poll()
			while other.get_available_packet_count() > 0:
				other.get_packet()
				got[0] += 1))
	print("note: %d of %d messages arrived" % [got[0], 2 * 3 * 60 * FRAMES])
