// Pion as a peer program: the options and lines of docs/pollrtc-peer.md, modes echo, ping, bulk, rate, setup and idle.
// For Debian's golang-github-pion-webrtc.v3-dev (3.1.56).
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v3"
)

type line map[string]interface{}

var outLock sync.Mutex

func put(l line) {
	text, _ := json.Marshal(l)
	outLock.Lock()
	os.Stdout.Write(append(text, '\n'))
	outLock.Unlock()
}

func fail(code string, err interface{}, status int) {
	put(line{"type": "error", "code": code, "message": fmt.Sprint(err)})
	os.Exit(status)
}

func check(err error) {
	if err != nil {
		fail("failed", err, 1)
	}
}

var (
	role        = flag.String("role", "", "")
	mode        = flag.String("mode", "", "")
	direction   = flag.String("direction", "up", "")
	size        = flag.Int("size", 0, "")
	binary      = flag.Bool("binary", true, "")
	warmup      = flag.Float64("warmup", 1, "")
	duration    = flag.Float64("duration", 5, "")
	count       = flag.Int("count", 0, "")
	buffer      = flag.Uint64("buffer", 1048576, "")
	unordered   = flag.Bool("unordered", false, "")
	retransmits = flag.Int("max-retransmits", -1, "")
	label       = flag.String("label", "bench", "")
	timeout     = flag.Float64("timeout", 60, "")
)

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// One connection of the run.
type link struct {
	number  int
	pc      *webrtc.PeerConnection
	lock    sync.Mutex
	waiting []webrtc.ICECandidateInit // until the remote description is there
	isSet   bool
}

var (
	linksLock sync.Mutex
	links     = map[int]*link{}
	stopped   = make(chan struct{})
	stopOnce  sync.Once
)

func newLink(number int) *link {
	pc, err := webrtc.NewPeerConnection(webrtc.Configuration{})
	check(err)
	l := &link{number: number, pc: pc}
	pc.OnICECandidate(func(c *webrtc.ICECandidate) {
		text := ""
		if c != nil {
			text = c.ToJSON().Candidate
		}
		put(line{"type": "candidate", "pc": number, "mid": "0", "index": 0, "candidate": text})
	})
	pc.OnConnectionStateChange(func(s webrtc.PeerConnectionState) {
		put(line{"type": "event", "name": "connection", "pc": number, "connection": s.String()})
		if s == webrtc.PeerConnectionStateFailed {
			fail("connection", "the connection has failed", 1)
		}
	})
	linksLock.Lock()
	links[number] = l
	linksLock.Unlock()
	return l
}

func (l *link) close() {
	l.pc.Close()
	linksLock.Lock()
	delete(links, l.number)
	linksLock.Unlock()
}

func (l *link) describe(d webrtc.SessionDescription) {
	check(l.pc.SetLocalDescription(d)) // first, so that no answer comes before it
	put(line{"type": d.Type.String(), "pc": l.number, "sdp": d.SDP})
}

func (l *link) take(d webrtc.SessionDescription) {
	check(l.pc.SetRemoteDescription(d))
	l.lock.Lock()
	defer l.lock.Unlock()
	l.isSet = true
	for _, c := range l.waiting {
		l.pc.AddICECandidate(c)
	}
	if d.Type == webrtc.SDPTypeOffer {
		answer, err := l.pc.CreateAnswer(nil)
		check(err)
		l.describe(answer)
	}
}

func (l *link) add(c webrtc.ICECandidateInit) {
	l.lock.Lock()
	defer l.lock.Unlock()
	if !l.isSet {
		l.waiting = append(l.waiting, c)
	} else {
		l.pc.AddICECandidate(c)
	}
}

// offer makes a connection with one channel and offers it.
func offer(number int, prepare func(*link, *webrtc.DataChannel)) {
	l := newLink(number)
	ordered := !*unordered
	init := &webrtc.DataChannelInit{Ordered: &ordered}
	if *retransmits >= 0 {
		n := uint16(*retransmits)
		init.MaxRetransmits = &n
	}
	channel, err := l.pc.CreateDataChannel(*label, init)
	check(err)
	prepare(l, channel)
	description, err := l.pc.CreateOffer(nil)
	check(err)
	l.describe(description)
}

func sendTraffic(channel *webrtc.DataChannel) {
	payload := make([]byte, *size)
	drained := make(chan struct{}, 1)
	channel.SetBufferedAmountLowThreshold(*buffer / 2)
	channel.OnBufferedAmountLow(func() {
		select {
		case drained <- struct{}{}:
		default:
		}
	})
	began := time.Now()
	var messages uint64
	for {
		select {
		case <-stopped:
			put(line{"type": "result", "mode": *mode, "role": *role, "tx": line{"messages": messages,
				"bytes": messages * uint64(*size), "seconds": time.Since(began).Seconds()}})
			return
		default:
		}
		if channel.BufferedAmount() > *buffer {
			select {
			case <-drained:
			case <-stopped:
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		check(channel.Send(payload))
		messages++
	}
}

func countTraffic(channel *webrtc.DataChannel) {
	var messages, bytes uint64
	var once sync.Once
	channel.OnMessage(func(m webrtc.DataChannelMessage) {
		atomic.AddUint64(&messages, 1)
		atomic.AddUint64(&bytes, uint64(len(m.Data)))
		once.Do(func() {
			go func() {
				time.Sleep(seconds(*warmup))
				put(line{"type": "mark", "name": "begin"})
				began, m0, b0 := time.Now(), atomic.LoadUint64(&messages), atomic.LoadUint64(&bytes)
				time.Sleep(seconds(*duration))
				took, m1, b1 := time.Since(began), atomic.LoadUint64(&messages), atomic.LoadUint64(&bytes)
				put(line{"type": "mark", "name": "end"})
				put(line{"type": "result", "mode": *mode, "role": *role, "rx": line{"messages": m1 - m0, "bytes": b1 - b0,
					"seconds": took.Seconds(), "total_messages": m1, "total_bytes": b1}})
			}()
		})
	})
}

func isSender() bool { return (*direction == "up") == (*role == "offer") }

func offerTraffic() {
	offer(0, func(l *link, channel *webrtc.DataChannel) {
		if isSender() {
			channel.OnOpen(func() { go sendTraffic(channel) })
		} else {
			countTraffic(channel)
		}
	})
}

func offerPings() {
	offer(0, func(l *link, channel *webrtc.DataChannel) {
		payload := make([]byte, *size)
		warm := *count / 10
		if warm < 10 {
			warm = 10
		}
		var times []float64
		var sent time.Time
		number := 0
		channel.OnOpen(func() {
			sent = time.Now()
			check(channel.Send(payload))
		})
		channel.OnMessage(func(webrtc.DataChannelMessage) {
			if number >= warm {
				times = append(times, float64(time.Since(sent).Nanoseconds())/1000)
			}
			number++
			if number == warm {
				put(line{"type": "mark", "name": "begin"})
			}
			if len(times) == *count {
				put(line{"type": "mark", "name": "end"})
				sort.Float64s(times)
				sum := 0.0
				for _, t := range times {
					sum += t
				}
				at := func(share float64) float64 { return times[int(share*float64(len(times)-1))] }
				put(line{"type": "result", "mode": "ping", "role": *role, "rtt_us": line{"n": len(times), "min": at(0),
					"median": at(0.5), "mean": sum / float64(len(times)), "p90": at(0.9), "p99": at(0.99), "max": at(1)}})
				return
			}
			sent = time.Now()
			check(channel.Send(payload))
		})
	})
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func offerSetups() {
	var took, opened []float64
	for i := 0; i < *count; i++ {
		began := time.Now()
		arrived := make(chan *link, 1)
		offer(i, func(l *link, channel *webrtc.DataChannel) {
			channel.OnOpen(func() { opened = append(opened, milliseconds(time.Since(began))) })
			channel.OnMessage(func(webrtc.DataChannelMessage) { arrived <- l })
		})
		l := <-arrived
		took = append(took, milliseconds(time.Since(began)))
		l.close()
		put(line{"type": "close", "pc": i})
		time.Sleep(20 * time.Millisecond)
	}
	put(line{"type": "result", "mode": "setup", "role": *role, "setup_ms": took, "open_ms": opened})
}

func offerIdle() {
	put(line{"type": "mark", "name": "begin"})
	free := make(chan struct{}, 4)
	var done sync.WaitGroup
	for i := 0; i < *count; i++ {
		free <- struct{}{}
		done.Add(1)
		offer(i, func(l *link, channel *webrtc.DataChannel) {
			channel.OnMessage(func(webrtc.DataChannelMessage) {
				<-free
				done.Done()
			})
		})
	}
	done.Wait()
	time.Sleep(2 * time.Second)
	put(line{"type": "mark", "name": "end"})
	put(line{"type": "result", "mode": "idle", "role": *role, "connections": *count})
}

func answer(number int) *link {
	l := newLink(number)
	l.pc.OnDataChannel(func(channel *webrtc.DataChannel) {
		switch *mode {
		case "echo", "ping":
			channel.OnMessage(func(m webrtc.DataChannelMessage) {
				if m.IsString {
					check(channel.SendText(string(m.Data)))
				} else {
					check(channel.Send(m.Data))
				}
			})
		case "setup", "idle":
			channel.OnOpen(func() { channel.Send([]byte("ping")) })
		default:
			if isSender() {
				channel.OnOpen(func() { go sendTraffic(channel) })
			} else {
				countTraffic(channel)
			}
		}
	})
	return l
}

func find(number int) *link {
	linksLock.Lock()
	defer linksLock.Unlock()
	return links[number]
}

func read() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 0, 1<<16), 1<<20)
	for input.Scan() {
		var in struct {
			Type, Sdp, Candidate string
			Pc                   int
		}
		if json.Unmarshal(input.Bytes(), &in) != nil {
			continue
		}
		l := find(in.Pc)
		if l == nil && (in.Type == "offer" || in.Type == "candidate") && *role == "answer" {
			l = answer(in.Pc)
		}
		switch in.Type {
		case "offer", "answer":
			if l != nil {
				l.take(webrtc.SessionDescription{Type: webrtc.NewSDPType(in.Type), SDP: in.Sdp})
			}
		case "candidate":
			if l != nil && in.Candidate != "" {
				mid, index := "0", uint16(0)
				l.add(webrtc.ICECandidateInit{Candidate: in.Candidate, SDPMid: &mid, SDPMLineIndex: &index})
			}
		case "close":
			if l != nil {
				go l.close()
			}
		case "stop":
			stopOnce.Do(func() { close(stopped) })
		case "quit":
			os.Exit(0)
		}
	}
	os.Exit(0)
}

func main() {
	flag.CommandLine.Init("pion", flag.ContinueOnError)
	if err := flag.CommandLine.Parse(os.Args[1:]); err != nil {
		fail("unsupported", err, 2)
	}
	modes := map[string]func(){"ping": offerPings, "bulk": offerTraffic, "rate": offerTraffic, "setup": offerSetups,
		"idle": offerIdle, "echo": nil}
	begin, known := modes[*mode]
	if !known || (*direction != "up" && *direction != "down") || (*role != "offer" && *role != "answer") {
		fail("unsupported", "mode, direction or role", 2)
	}
	defaults := map[string]int{"ping": 2000, "setup": 20, "idle": 100}
	if *count == 0 {
		*count = defaults[*mode]
	}
	if *size == 0 {
		*size = 64
		if *mode == "bulk" {
			*size = 65536
		}
	}
	put(line{"type": "hello", "peer": "pion", "version": "3.1.56"})
	time.AfterFunc(seconds(*timeout), func() { fail("timeout", "timed out", 3) })
	if *role == "offer" && begin != nil {
		go begin()
	}
	read()
}
