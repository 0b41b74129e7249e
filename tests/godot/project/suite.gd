# A suite: each method test_* is a test. Started with --script; prints a line for each test, and the sums at the end.
# After a script error the engine just leaves the function, so a test ends by done(), and one that did not has failed.
extends SceneTree

var pollables: Array = []  # polled each frame while a test waits
var _faults := 0
var _checks := 0
var _is_done := false
var _passed := 0
var _failed := 0


func _initialize() -> void:
	OS.low_processor_usage_mode_sleep_usec = 1  # without a display the engine sleeps so long, whatever max_fps says
	_run.call_deferred()


func _run() -> void:
	var wanted := OS.get_cmdline_user_args()
	for method in get_method_list():
		var name: String = method.name
		if not name.begins_with("test_"):
			continue
		if wanted.size() > 0 and not name.contains(wanted[0]):
			continue
		_faults = 0
		_checks = 0
		_is_done = false
		var began := Time.get_ticks_usec()
		await call(name)
		pollables.clear()
		await frames(2)
		if not _is_done:
			fault("did not come to its end")
		if _checks == 0:
			fault("checked nothing")
		if _faults == 0:
			_passed += 1
		else:
			_failed += 1
		var milliseconds := (Time.get_ticks_usec() - began) / 1000.0
		print("%s %s (%d checks, %.0f ms)" % ["ok" if _faults == 0 else "FAILED", name, _checks, milliseconds])
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


func equal(seen: Variant, wanted: Variant, what: String) -> bool:
	return check(typeof(seen) == typeof(wanted) and seen == wanted,
			"%s: %s where %s was wanted" % [what, var_to_str(seen), var_to_str(wanted)])


func poll_all() -> void:
	for pollable in pollables.duplicate():
		pollable.poll()


func frames(count: int) -> void:
	for i in count:
		poll_all()
		await process_frame


# Polls each frame until the condition holds; false when it did not within these seconds.
func until(condition: Callable, seconds := 10.0) -> bool:
	var end := Time.get_ticks_msec() + int(seconds * 1000)
	while true:
		poll_all()
		if condition.call():
			return true
		if Time.get_ticks_msec() > end:
			return false
		await process_frame
	return false


# Nothing happens for a while.
func seconds(duration: float) -> void:
	await until(func() -> bool: return false, duration)
