# The engine's own WebRTCMultiplayerPeer and SceneMultiplayer over our connections.
extends "res://suite.gd"

const Pair := preload("res://pair.gd")
const Player := preload("res://player.gd")


# One member of a game: a multiplayer peer, the SceneMultiplayer that drives it, and a node to call.
class Member:
	extends RefCounted
	var peer := WebRTCMultiplayerPeer.new()
	var api := SceneMultiplayer.new()
	var root: Node
	var player: Node
	var joined: Array = []
	var left: Array = []

	func _init(tree: SceneTree, name: String) -> void:
		root = Node.new()
		root.name = name
		tree.root.add_child(root)
		player = Player.new()
		player.name = "Player"
		root.add_child(player)
		tree.set_multiplayer(api, root.get_path())
		api.peer_connected.connect(_on_joined)  # methods: a lambda would hold the member for ever
		api.peer_disconnected.connect(_on_left)

	func _on_joined(id: int) -> void:
		joined.push_back(id)

	func _on_left(id: int) -> void:
		left.push_back(id)

	func start() -> void:
		api.multiplayer_peer = peer

	func end(tree: SceneTree) -> void:
		api.multiplayer_peer = null
		peer.close()
		tree.set_multiplayer(null, root.get_path())
		root.free()


var pairs: Array = []


func join(a: WebRTCMultiplayerPeer, b: WebRTCMultiplayerPeer) -> Pair:
	var pair := Pair.new()
	equal(a.add_peer(pair.a, b.get_unique_id()), OK, "add_peer at %d" % a.get_unique_id())
	equal(b.add_peer(pair.b, a.get_unique_id()), OK, "add_peer at %d" % b.get_unique_id())
	equal(pair.a.create_offer(), OK, "the offer")
	pairs.push_back(pair)
	return pair


func mesh(count: int, extra: Array = []) -> Array:
	var members := []
	for i in count:
		var member := Member.new(self, "mesh%d" % (i + 1))
		equal(member.peer.create_mesh(i + 1, extra), OK, "create_mesh")
		member.start()
		members.push_back(member)
	for i in count:
		for j in i:
			join(members[i].peer, members[j].peer)
	var all_there := func() -> bool:
		return members.all(func(m: Member) -> bool: return m.joined.size() == count - 1)
	check(await until(all_there), "everybody knows everybody")
	return members


func end(members: Array) -> void:
	pollables.clear()
	for member in members:
		member.end(self)
	pairs.clear()


func test_mesh_of_three_with_rpcs() -> void:
	var members := await mesh(3)
	for i in 3:
		var others := [1, 2, 3].filter(func(id: int) -> bool: return id != i + 1)
		members[i].joined.sort()
		equal(members[i].joined, others, "who joined at %d" % (i + 1))
		equal(Array(members[i].api.get_peers()).size(), 2, "peers")
		members[i].player.say.rpc("from %d" % (i + 1))
	members[0].player.say.rpc_id(2, "for 2 alone")
	check(await until(func() -> bool: return members[1].player.calls.size() == 3), "calls at 2")
	check(members[1].player.calls.has([1, "for 2 alone"]), "a call to one")
	check(await until(func() -> bool: return members[2].player.calls.size() == 2), "calls at 3")
	await seconds(0.1)
	members[2].player.calls.sort()
	equal(members[2].player.calls, [[1, "from 1"], [2, "from 2"]], "all calls at 3")
	end(members)
	done()


func test_each_transfer_mode() -> void:
	var members := await mesh(2)
	for i in 30:
		members[0].player.say.rpc(str(i))
		members[0].player.move.rpc(Vector2(i, 0))
		members[0].player.turn.rpc(float(i))
		await frames(1)
	var calls: Array = members[1].player.calls
	check(await until(func() -> bool: return calls.size() == 90), "all calls, where nothing is lost")
	var texts := calls.filter(func(c: Array) -> bool: return c[1] is String).map(func(c: Array) -> int: return int(c[1]))
	equal(texts, range(30), "the reliable ones in order")
	var angles := calls.filter(func(c: Array) -> bool: return c[1] is float).map(func(c: Array) -> int: return int(c[1]))
	equal(angles, range(30), "the ordered ones in order")
	end(members)
	done()


func test_channels_are_what_the_engine_asked_for() -> void:
	var members := await mesh(2, [MultiplayerPeer.TRANSFER_MODE_RELIABLE, MultiplayerPeer.TRANSFER_MODE_UNRELIABLE])
	var info: Dictionary = members[0].peer.get_peer(2)
	equal(info.connected, true, "connected")
	var seen := []
	for channel: WebRTCDataChannel in info.channels:
		seen.push_back([channel.get_id(), channel.get_label(), channel.is_ordered(), channel.get_max_packet_life_time()])
	equal(seen, [[1, "reliable", true, 65535], [2, "ordered", true, 1], [3, "unreliable", false, 1],
			[4, "4", true, 65535], [5, "5", false, 1]], "channels")
	var map := PackedByteArray()
	map.resize(1048576)
	members[0].player.load_map.rpc(map)
	check(await until(func() -> bool: return members[1].player.calls == [[1, 1048576]]), "1 MiB in a call, on an extra channel")
	end(members)
	done()


func test_client_and_server_with_relay() -> void:
	var server := Member.new(self, "server")
	var clients := [Member.new(self, "client2"), Member.new(self, "client3")]
	equal(server.peer.create_server(), OK, "create_server")
	server.start()
	for i in 2:
		equal(clients[i].peer.create_client(i + 2), OK, "create_client")
		equal(clients[i].peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTING, "status before")
		clients[i].start()
		join(server.peer, clients[i].peer)
	check(await until(func() -> bool: return clients.all(func(c: Member) -> bool: return c.joined.size() == 2)),
			"clients hear of each other")
	equal(clients[0].peer.get_connection_status(), MultiplayerPeer.CONNECTION_CONNECTED, "status")
	clients[0].joined.sort()
	equal(clients[0].joined, [1, 3], "whom client 2 knows")
	check(not clients[0].peer.has_peer(3), "it has no connection to 3")
	clients[0].player.say.rpc_id(3, "through the server")
	check(await until(func() -> bool: return clients[1].player.calls == [[2, "through the server"]]), "the relayed call")
	equal(server.player.calls, [], "calls at the server")
	clients[0].player.say.rpc("to all")
	check(await until(func() -> bool: return server.player.calls == [[2, "to all"]]), "at the server")
	check(await until(func() -> bool: return clients[1].player.calls.has([2, "to all"])), "at the other client")
	clients[1].peer.close()
	check(await until(func() -> bool: return server.left == [3] and clients[0].left == [3], 3.0), "client 3 has left")
	end([server] + clients)
	done()


func test_server_goes_away() -> void:
	var server := Member.new(self, "server")
	var client := Member.new(self, "client")
	server.peer.create_server()
	client.peer.create_client(2)
	server.start()
	client.start()
	join(server.peer, client.peer)
	check(await until(func() -> bool: return client.joined == [1]), "connected")
	var gone := [0]
	client.api.server_disconnected.connect(func() -> void: gone[0] += 1)
	server.peer.close()
	pairs.clear()
	check(await until(func() -> bool: return gone[0] == 1, 3.0), "server_disconnected")
	equal(client.peer.get_connection_status(), MultiplayerPeer.CONNECTION_DISCONNECTED, "status")
	end([server, client])
	done()


func test_peer_leaves_and_comes_back() -> void:
	var members := await mesh(2)
	members[1].peer.disconnect_peer(1)
	check(await until(func() -> bool: return members[0].left == [2] and members[1].left == [1], 3.0), "both say so")
	check(not members[0].peer.has_peer(2), "the peer is gone")
	join(members[0].peer, members[1].peer)
	check(await until(func() -> bool: return members[0].joined == [2, 2]), "it is back")
	members[1].player.say.rpc("again")
	check(await until(func() -> bool: return members[0].player.calls == [[2, "again"]]), "and talks")
	end(members)
	done()


func test_packets_by_hand() -> void:
	var a := WebRTCMultiplayerPeer.new()
	var b := WebRTCMultiplayerPeer.new()
	a.create_mesh(10)
	b.create_mesh(20, [])
	pollables = [a, b]
	join(a, b)
	var are_connected := func() -> bool: return a.has_peer(20) and a.get_peer(20).connected and b.get_peer(10).connected
	check(await until(are_connected), "connected")
	for mode in [MultiplayerPeer.TRANSFER_MODE_RELIABLE, MultiplayerPeer.TRANSFER_MODE_UNRELIABLE,
			MultiplayerPeer.TRANSFER_MODE_UNRELIABLE_ORDERED]:
		a.set_target_peer(20)
		a.transfer_mode = mode
		equal(a.put_packet(PackedByteArray([mode])), OK, "put")
		check(await until(func() -> bool: return b.get_available_packet_count() == 1), "a packet")
		equal([b.get_packet_peer(), b.get_packet_mode(), b.get_packet_channel()], [10, mode, 0], "whose and how")
		equal(b.get_packet(), PackedByteArray([mode]), "packet")
	a.set_target_peer(30)
	equal(a.put_packet(PackedByteArray([1])), ERR_INVALID_PARAMETER, "to nobody")
	pairs.clear()
	a.close()
	check(await until(func() -> bool: return not b.has_peer(10), 3.0), "b's peer is gone")
	equal(a.put_packet(PackedByteArray([1])), ERR_UNCONFIGURED, "after close")
	b.close()
	done()


func test_misuse_of_add_peer() -> void:
	var peer := WebRTCMultiplayerPeer.new()
	equal(peer.add_peer(WebRTCPeerConnection.new(), 2), ERR_UNCONFIGURED, "before create")
	peer.create_mesh(1)
	equal(peer.add_peer(WebRTCPeerConnection.new(), 0), ERR_INVALID_PARAMETER, "id 0")
	equal(peer.add_peer(WebRTCPeerConnection.new(), 2, -1), ERR_INVALID_PARAMETER, "life time")
	var closed := WebRTCPeerConnection.new()
	closed.close()
	check(peer.add_peer(closed, 2) != OK, "a closed connection")
	peer.refuse_new_connections = true
	equal(peer.add_peer(WebRTCPeerConnection.new(), 2), ERR_UNAUTHORIZED, "refused")
	equal(peer.has_peer(2), false, "no peer")
	done()
