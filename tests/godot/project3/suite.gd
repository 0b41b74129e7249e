# A suite, as that of Godot 4 beside it: each method test_* is a test, ends by done(), and may wait by yield().
extends SceneTree

const Pair := preload("res://pair.gd")

var pollables := []  # polled each frame while a test waits
var _faults := 0
var _checks := 0
var _is_done := false
var _passed := 0
var _failed := 0


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 1
	call_deferred("_run")


func _run() -> void:
	for method in get_method_list():
		var name: String = method.name
		if not name.begins_with("test_"):
			continue
		_faults = 0
		_checks = 0
		_is_done = false
		var began := OS.get_ticks_usec()
		var state = call(name)
		if state is GDScriptFunctionState:
			yield(state, "completed")
		state = null
		pollables.clear()
		yield(frames(2), "completed")
		if not _is_done:
			fault("did not come to its end")
		if _checks == 0:
			fault("checked nothing")
		if _faults == 0:
			_passed += 1
		else:
			_failed += 1
		print("%s %s (%d checks, %.0f ms)" % ["ok" if _faults == 0 else "FAILED", name, _checks, (OS.get_ticks_usec() - began) / 1000.0])
	print("suite: %d passed, %d failed" % [_passed, _failed])
	quit(0 if _failed == 0 else 1)


func done() -> void:
	_is_done = true


func fault(text: String) -> void:
	_faults += 1
	print("  fault: ", text)


func check(condition: bool, what: String) -> bool:
	_checks += 1
	if not condition:
		fault(what)
	return condition


func equal(seen, wanted, what: String) -> bool:
	return check(typeof(seen) == typeof(wanted) and str(seen) == str(wanted) and _is_same(seen, wanted),
			"%s: %s where %s was wanted" % [what, var2str(seen).left(300), var2str(wanted).left(300)])


# Arrays are equal by their elements, dictionaries are compared as texts above.
func _is_same(seen, wanted) -> bool:
	return true if seen is Dictionary else seen == wanted


func poll_all() -> void:
	for pollable in pollables.duplicate():
		pollable.poll()


func frames(count: int):
	for _i in count:
		poll_all()
		yield(self, "idle_frame")


# Polls each frame until the method of `where` says true, and says so; false when it did not within these seconds.
func until(where: Object, method: String, arguments := [], seconds := 10.0):
	var end := OS.get_ticks_msec() + int(seconds * 1000)
	yield(self, "idle_frame")
	while true:
		poll_all()
		if where.callv(method, arguments):
			return true
		if OS.get_ticks_msec() > end:
			return false
		yield(self, "idle_frame")


func never() -> bool:
	return false


# Nothing happens for a while.
func seconds(duration: float):
	return until(self, "never", [], duration)


func bytes(values: Array) -> PoolByteArray:
	return PoolByteArray(values)


# --- what tests wait for

func is_open(channel) -> bool:
	return channel.get_ready_state() == WebRTCDataChannel.STATE_OPEN


func is_closed(channel) -> bool:
	return channel.get_ready_state() == WebRTCDataChannel.STATE_CLOSED


func has_state(connection, state: int) -> bool:
	return connection.get_connection_state() == state


func has_packets(channel, count: int) -> bool:
	return channel.get_available_packet_count() >= count


func has_size(array: Array, size: int) -> bool:
	return array.size() >= size


func says(array: Array, word) -> bool:
	return array.has(word)


func is_drained(channel) -> bool:
	return channel.get_buffered_amount() == 0


# The packets that came, at least so many of them unless it takes too long.
func take(channel, count: int, within := 10.0):
	yield(until(self, "has_packets", [channel, count], within), "completed")
	var packets := []
	while channel.get_available_packet_count() > 0:
		packets.push_back(channel.get_packet())
	return packets


# A pair with a channel of a's that is open at both ends: [pair, at a, at b].
func connected(options := {}, label := "chat", configuration := {}):
	var pair = Pair.new()
	equal(pair.a.initialize(configuration), OK, "initialize " + str(configuration))
	pollables = [pair]
	var channel = pair.a.create_data_channel(label, options)
	check(channel != null, "a channel with " + str(options))
	equal(pair.a.create_offer(), OK, "create_offer")
	check(yield(until(pair, "is_up"), "completed"), "both ends open with " + str(options))
	return [pair, channel, pair.received[0] if pair.received.size() > 0 else null]
