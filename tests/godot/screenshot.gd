# The example as the second player sees it, after three points; run_screenshot.sh says where the picture goes.
extends "res://pong.gd"


func _process(delta: float) -> void:
	super(delta)
	if other == 0 or score[0] + score[1] < 3 or ball.x < 200 or ball.x > 330:
		return
	set_process(false)
	await RenderingServer.frame_post_draw
	get_viewport().get_texture().get_image().save_png("/tmp/pong.png")
	get_tree().quit()
