# Pong for two over a mesh of two. Who makes the lobby plays on the left and moves the ball; each moves its own paddle. Positions
# go unreliably, since the next one is on its way; the score goes reliably.
#   godot --path examples/godot -- ws://127.0.0.1:9080 [LOBBY] [--demo]
# With --demo the paddle moves by itself.
extends Node2D

const Lobby := preload("res://lobby.gd")
const FIELD := Vector2(800, 500)
const PADDLE := Vector2(12, 80)
const BALL := 12.0
const SPEED := 380.0

var lobby := Lobby.new()
var label := Label.new()
var is_host := false
var is_demo := false
var other := 0  # the other player's number; 0: nobody is there
var paddles: Array[float] = [FIELD.y / 2, FIELD.y / 2]  # left, right
var score: Array[int] = [0, 0]
var ball := FIELD / 2
var velocity := Vector2.ZERO


func _ready() -> void:
	add_child(label)
	label.position = Vector2(20, 10)
	say("Looking for the lobby")
	var words := Array(OS.get_cmdline_user_args())
	is_demo = words.has("--demo")
	words.erase("--demo")
	add_child(lobby)
	lobby.joined.connect(_on_joined)
	multiplayer.peer_connected.connect(_on_peer)
	multiplayer.peer_disconnected.connect(_on_gone)
	lobby.join(words[0] if words.size() > 0 else "ws://127.0.0.1:9080", words[1] if words.size() > 1 else "")


func _on_joined(id: int, name_of_lobby: String) -> void:
	is_host = id == 1
	multiplayer.multiplayer_peer = lobby.peer
	say("lobby %s" % name_of_lobby)


func _on_peer(id: int) -> void:
	if other != 0:
		return  # a third one watches an empty field
	other = id
	say("playing against %d" % id)
	if is_host:
		lobby.seal()
		serve(1.0)


func _on_gone(id: int) -> void:
	if id == other:
		other = 0
		say("the other player has gone")


func serve(direction: float) -> void:
	ball = FIELD / 2
	velocity = Vector2(direction, randf_range(-0.8, 0.8)).normalized() * SPEED


func _process(delta: float) -> void:
	if other != 0:
		move_paddle(delta)
		if is_host:
			move_ball(delta)
			put_ball.rpc_id(other, ball)
	queue_redraw()


func move_paddle(delta: float) -> void:
	var mine := 0 if is_host else 1
	var way := Input.get_axis("ui_up", "ui_down")
	if is_demo:
		way = clampf((ball.y - paddles[mine]) / 20, -1, 1) * 0.8
	paddles[mine] = clampf(paddles[mine] + way * SPEED * delta, PADDLE.y / 2, FIELD.y - PADDLE.y / 2)
	put_paddle.rpc_id(other, paddles[mine])


func move_ball(delta: float) -> void:
	ball += velocity * delta
	if ball.y < BALL / 2 and velocity.y < 0 or ball.y > FIELD.y - BALL / 2 and velocity.y > 0:
		velocity.y = -velocity.y
	for side in 2:
		var x := 30.0 if side == 0 else FIELD.x - 30
		var is_coming := velocity.x < 0 if side == 0 else velocity.x > 0
		if is_coming and absf(ball.x - x) < (PADDLE.x + BALL) / 2 and absf(ball.y - paddles[side]) < (PADDLE.y + BALL) / 2:
			velocity = Vector2(-velocity.x, velocity.y + (ball.y - paddles[side]) * 6) * 1.05
	if ball.x < 0 or ball.x > FIELD.x:
		score[1 if ball.x < 0 else 0] += 1
		put_score.rpc_id(other, score[0], score[1])
		say("score %d : %d" % score)
		serve(-1.0 if ball.x < 0 else 1.0)


@rpc("any_peer", "call_remote", "unreliable_ordered")
func put_paddle(y: float) -> void:
	if multiplayer.get_remote_sender_id() == other:
		paddles[1 if is_host else 0] = clampf(y, 0, FIELD.y)


@rpc("any_peer", "call_remote", "unreliable_ordered")
func put_ball(at: Vector2) -> void:
	if multiplayer.get_remote_sender_id() == 1:
		ball = at


@rpc("any_peer", "call_remote", "reliable")
func put_score(left: int, right: int) -> void:
	if multiplayer.get_remote_sender_id() == 1:
		score = [left, right]
		say("score %d : %d" % score)


func say(text: String) -> void:
	print(text)
	label.text = text


func _draw() -> void:
	draw_rect(Rect2(Vector2.ZERO, FIELD), Color(0.07, 0.08, 0.11))
	for y in range(0, int(FIELD.y), 24):
		draw_rect(Rect2(FIELD.x / 2 - 1, y, 2, 12), Color(1, 1, 1, 0.3))
	for side in 2:
		var x := 30.0 if side == 0 else FIELD.x - 30
		draw_rect(Rect2(Vector2(x, paddles[side]) - PADDLE / 2, PADDLE), Color.WHITE)
	draw_rect(Rect2(ball - Vector2(BALL, BALL) / 2, Vector2(BALL, BALL)), Color(1, 0.85, 0.3))
