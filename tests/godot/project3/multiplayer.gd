# The engine's own WebRTCMultiplayer and MultiplayerAPI over our connections.
extends "res://suite.gd"

const Player := preload("res://player.gd")


# One member of a game: a multiplayer peer, the MultiplayerAPI that drives it, and a node to call.
class Member:
	extends Reference
	var peer := WebRTCMultiplayer.new()
	var api := MultiplayerAPI.new()
	var game: Node
	var player: Node
	var joined := []
	var left := []
	var said := []

	func _init(tree: SceneTree, name: String) -> void:
		game = Node.new()
		game.name = name
		tree.root.add_child(game)
		player = Player.new()
		player.name = "Player"
		player.custom_multiplayer = api
		game.add_child(player)
		api.set_root_node(game)
		api.connect("network_peer_connected", self, "_on_joined")
		api.connect("network_peer_disconnected", self, "_on_left")
		for word in ["connection_succeeded", "connection_failed", "server_disconnected"]:
			peer.connect(word, self, "_on_word", [word])

	func _on_joined(id: int) -> void:
		joined.push_back(id)
		joined.sort()

	func _on_left(id: int) -> void:
		left.push_back(id)

	func _on_word(word: String) -> void:
		said.push_back(word)

	func start() -> void:
		api.network_peer = peer

	func poll() -> void:
		if api.has_network_peer():
			api.poll()

	func knows(count: int) -> bool:
		return joined.size() == count

	func is_alone() -> bool:
		return left.size() > 0

	func has_calls(count: int) -> bool:
		return player.calls.size() >= count

	func end() -> void:
		api.network_peer = null
		peer.close()
		game.free()


var pairs := []


func is_gone(peer, id: int) -> bool:
	return not peer.has_peer(id)


func is_peer_connected(peer, id: int) -> bool:
	return peer.has_peer(id) and peer.get_peer(id).connected


func join(a: WebRTCMultiplayer, b: WebRTCMultiplayer) -> void:
	var pair = Pair.new()
	equal(a.add_peer(pair.a, b.get_unique_id()), OK, "add_peer at %d" % a.get_unique_id())
	equal(b.add_peer(pair.b, a.get_unique_id()), OK, "add_peer at %d" % b.get_unique_id())
	equal(pair.a.create_offer(), OK, "the offer")
	pairs.push_back(pair)


func mesh(count: int, server_compatibility := false):
	var members := []
	for i in count:
		var member = Member.new(self, "mesh%d" % (i + 1))
		equal(member.peer.initialize(i + 1, server_compatibility), OK, "initialize")
		member.start()
		members.push_back(member)
	pollables = members
	for i in count:
		for j in i:
			join(members[i].peer, members[j].peer)
	for member in members:
		check(yield(until(member, "knows", [count - 1]), "completed"), "everybody knows everybody")
	return members


func end(members: Array) -> void:
	pollables = []
	for member in members:
		member.end()
	pairs.clear()


func test_mesh_of_three_with_rpcs():
	var members = yield(mesh(3), "completed")
	for i in 3:
		var others := [1, 2, 3]
		others.erase(i + 1)
		equal(members[i].joined, others, "who joined at %d" % (i + 1))
		equal(Array(members[i].api.get_network_connected_peers()).size(), 2, "peers")
		members[i].player.rpc("say", "from %d" % (i + 1))
	members[0].player.rpc_id(2, "say", "for 2 alone")
	check(yield(until(members[1], "has_calls", [3]), "completed"), "calls at 2")
	check(members[1].player.calls.has([1, "for 2 alone"]), "a call to one")
	check(yield(until(members[2], "has_calls", [2]), "completed"), "calls at 3")
	yield(seconds(0.1), "completed")
	equal(members[2].player.calls.size(), 2, "all calls at 3")
	check(members[2].player.calls.has([1, "from 1"]) and members[2].player.calls.has([2, "from 2"]), "what they say")
	end(members)
	done()


func test_reliable_and_unreliable_calls():
	var members = yield(mesh(2), "completed")
	for i in 30:
		members[0].player.rpc("say", str(i))
		members[0].player.rpc_unreliable("move", Vector2(i, 0))
		yield(frames(1), "completed")
	check(yield(until(members[1], "has_calls", [60]), "completed"), "all calls, where nothing is lost")
	var texts := []
	for c in members[1].player.calls:
		if c[1] is String:
			texts.push_back(int(c[1]))
	equal(texts, range(30), "the reliable ones in order")
	var map := PoolByteArray()
	map.resize(1048576)
	members[0].player.rpc("load_map", map)
	check(yield(until(members[1], "has_calls", [61], 30.0), "completed"), "a call with 1 MiB")
	equal(members[1].player.calls.back(), [1, 1048576], "what it brought")
	end(members)
	done()


func test_channels_are_what_the_engine_asked_for():
	var members = yield(mesh(2), "completed")
	var info: Dictionary = members[0].peer.get_peer(2)
	equal(info.connected, true, "connected")
	var seen := []
	for channel in info.channels:
		seen.push_back([channel.get_id(), channel.get_label(), channel.is_ordered(), channel.get_max_packet_life_time()])
	equal(seen, [[1, "reliable", true, 65535], [2, "ordered", true, 1], [3, "unreliable", false, 1]], "channels")
	end(members)
	done()


func test_client_and_server():
	var server = Member.new(self, "server")
	var client = Member.new(self, "client")
	equal(server.peer.initialize(1, true), OK, "the server")
	equal(client.peer.initialize(2, true), OK, "the client")
	equal(client.peer.get_connection_status(), NetworkedMultiplayerPeer.CONNECTION_CONNECTING, "status before")
	pollables = [server, client]
	server.start()
	client.start()
	join(server.peer, client.peer)
	check(yield(until(client, "knows", [1]), "completed"), "connected")
	equal(client.said, ["connection_succeeded"], "what the client hears")
	equal(client.peer.get_connection_status(), NetworkedMultiplayerPeer.CONNECTION_CONNECTED, "status")
	client.player.rpc_id(1, "say", "to the server")
	check(yield(until(server, "has_calls", [1]), "completed"), "the call")
	equal(server.player.calls, [[2, "to the server"]], "what it said")
	server.peer.close()
	pairs.clear()
	check(yield(until(self, "says", [client.said, "server_disconnected"], 3.0), "completed"), "server_disconnected")
	end([server, client])
	done()


func test_peer_leaves_and_comes_back():
	var members = yield(mesh(2), "completed")
	members[1].peer.remove_peer(1)
	pairs.clear()
	check(yield(until(members[0], "is_alone", [], 3.0), "completed"), "the other end says so")
	equal([members[0].left, members[1].left, members[0].peer.has_peer(2)], [[2], [1], false], "who has left")
	join(members[0].peer, members[1].peer)
	check(yield(until(members[0], "knows", [2]), "completed"), "it is back")
	check(yield(until(members[1], "knows", [2]), "completed"), "at both ends")
	members[1].player.rpc("say", "again")
	check(yield(until(members[0], "has_calls", [1]), "completed"), "and talks")
	end(members)
	done()


func test_packets_by_hand():
	var a := WebRTCMultiplayer.new()
	var b := WebRTCMultiplayer.new()
	a.initialize(10)
	b.initialize(20)
	pollables = [a, b]
	join(a, b)
	check(yield(until(self, "is_peer_connected", [a, 20]), "completed"), "connected at a")
	check(yield(until(self, "is_peer_connected", [b, 10]), "completed"), "connected at b")
	for mode in [NetworkedMultiplayerPeer.TRANSFER_MODE_RELIABLE, NetworkedMultiplayerPeer.TRANSFER_MODE_UNRELIABLE,
			NetworkedMultiplayerPeer.TRANSFER_MODE_UNRELIABLE_ORDERED]:
		a.set_target_peer(20)
		a.transfer_mode = mode
		equal(a.put_packet(bytes([mode])), OK, "put")
		check(yield(until(self, "has_packets", [b, 1]), "completed"), "a packet")
		equal(b.get_packet_peer(), 10, "whose")
		equal(b.get_packet(), bytes([mode]), "packet")
	a.set_target_peer(30)
	equal(a.put_packet(bytes([1])), ERR_INVALID_PARAMETER, "to nobody")
	pairs.clear()
	a.close()
	check(yield(until(self, "is_gone", [b, 10], 3.0), "completed"), "b's peer is gone")
	equal(a.put_packet(bytes([1])), ERR_UNCONFIGURED, "after close")
	b.close()
	done()


func test_misuse_of_add_peer() -> void:
	var peer := WebRTCMultiplayer.new()
	check(peer.add_peer(WebRTCPeerConnection.new(), -1) != OK, "id -1")
	peer.initialize(1)
	check(peer.add_peer(WebRTCPeerConnection.new(), 2, -1) != OK, "life time")
	var closed := WebRTCPeerConnection.new()
	closed.close()
	check(peer.add_peer(closed, 2) != OK, "a closed connection")
	equal(peer.has_peer(2), false, "no peer")
	done()
