# A chat of all who are in a lobby: one call for each line.
#   godot --path examples/godot res://chat.tscn -- ws://127.0.0.1:9080 [LOBBY] [--say TEXT]
extends VBoxContainer

const Lobby := preload("res://lobby.gd")

var lobby := Lobby.new()
var log := RichTextLabel.new()
var line := LineEdit.new()
var greeting := ""  # --say: said to everybody who comes


func _ready() -> void:
	log.size_flags_vertical = Control.SIZE_EXPAND_FILL
	log.scroll_following = true
	line.placeholder_text = "To everybody"
	line.text_submitted.connect(_on_submitted)
	for child: Control in [log, line]:
		add_child(child)
	var words := Array(OS.get_cmdline_user_args())
	if words.has("--say"):
		greeting = words[words.find("--say") + 1]
		words = words.slice(0, words.find("--say"))
	add_child(lobby)
	lobby.joined.connect(_on_joined)
	multiplayer.peer_connected.connect(_on_peer)
	multiplayer.peer_disconnected.connect(func(id: int) -> void: show_line("%d has gone" % id))
	lobby.join(words[0] if words.size() > 0 else "ws://127.0.0.1:9080", words[1] if words.size() > 1 else "")


func _on_joined(id: int, name_of_lobby: String) -> void:
	multiplayer.multiplayer_peer = lobby.peer
	show_line("You are %d in lobby %s" % [id, name_of_lobby])


func _on_peer(id: int) -> void:
	show_line("%d is here" % id)
	if greeting != "":
		hear.rpc_id(id, greeting)


func _on_submitted(text: String) -> void:
	line.clear()
	show_line("you: " + text)
	hear.rpc(text)


@rpc("any_peer", "call_remote", "reliable")
func hear(text: String) -> void:
	show_line("%d: %s" % [multiplayer.get_remote_sender_id(), text])


func show_line(text: String) -> void:
	print(text)
	log.add_text(text + "\n")
