// Package gate lets queries in when there are memory and a place for them.
//
// What a query may hold is booked before it begins, so that all together stay within one limit. Who finds no room waits in
// one of two lanes: small queries have an eighth of the memory and places of their own and never wait for large ones. In a
// lane subjects take turns by what they have booked: a query's turn is the amount of memory that its subject was let in
// with since it last had nothing waiting, so one who asks for much does not push back one who asks for little, and the next
// in turn is never overtaken for being large. Who could not be let in for long is told so at once (ErrBusy).
package gate

import (
	"container/heap"
	"context"
	"errors"
	"sync"
)

// ErrBusy is the error for a query that would wait behind too many others. Nothing was done, and trying again later helps.
var ErrBusy = errors.New("the server is busy")

// Limits are the room there is.
type Limits struct {
	// Bytes is the memory that all queries may hold together.
	Bytes int64
	// Running is how many queries of one lane may compute at once; 0 means any number.
	Running int
	// Waiting and WaitingEach are how many queries may wait in one lane, of all subjects and of one; 0 means any number.
	Waiting, WaitingEach int
}

const (
	// smallShare is the part of the memory that small queries have to themselves.
	smallShare = 8
	// small is the size in bytes up to which a query counts as small, where the share has room for many of that size.
	small = 1 << 20
	// many is how many of the largest small queries must fit into their share.
	many = 16
	// least is what a query counts for at least in taking turns: it costs time whatever it holds.
	least = 64 << 10
	// manySubjects is how many subjects a lane remembers before it forgets those whose turn is over.
	manySubjects = 1024
)

// Gate is the way in. It is safe for concurrent use.
type Gate struct {
	limits Limits
	// small is the size up to which queries go through the small lane.
	small int64

	mu    sync.Mutex
	lanes [2]lane // guarded by mu: large, small
}

// lane is one of the two queues with its room.
type lane struct {
	bytes, free int64
	running     int
	waiting     waitingList
	subjects    map[string]*subject
	// now is the turn of the last query that was let in, latest where the last of all turns ends, arrivals numbers all that
	// came.
	now, latest, arrivals int64
}

// subject is the standing of who asks.
type subject struct {
	// next is the turn of its next query, waiting counts those that wait.
	next    int64
	waiting int
}

// ticket is a query that waits.
type ticket struct {
	who           *subject
	bytes         int64
	turn, arrival int64
	index         int // in the list; -1 when it was let in
	in            chan struct{}
}

// New returns a gate with all room free.
func New(l Limits) *Gate {
	share := l.Bytes / smallShare
	g := &Gate{limits: l, small: min(small, share/many)}
	g.lanes[0] = lane{bytes: l.Bytes - share, free: l.Bytes - share, subjects: map[string]*subject{}}
	g.lanes[1] = lane{bytes: share, free: share, subjects: map[string]*subject{}}
	return g
}

// Pass is the permission to hold memory and to compute. Leave must be called.
type Pass struct {
	gate *Gate
	lane *lane
	// bytes, computing and refused are guarded by gate.mu.
	bytes              int64
	computing, refused bool
}

// Enter waits for nBytes and a place, in turn with others; more than there is counts as all there is. The error is ErrBusy or
// that of ctx.
func (g *Gate) Enter(ctx context.Context, who string, nBytes int64) (*Pass, error) {
	l := &g.lanes[0]
	if nBytes <= g.small {
		l = &g.lanes[1]
	}
	g.mu.Lock()
	t, err := g.queue(l, who, nBytes)
	if err == nil {
		g.admit(l)
	}
	g.mu.Unlock()
	if err != nil {
		return nil, err
	}
	p := &Pass{gate: g, lane: l, bytes: t.bytes, computing: true}
	select {
	case <-t.in:
		return p, nil
	default:
	}
	select {
	case <-t.in:
		return p, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if t.index < 0 { // let in meanwhile
		g.release(l, t.bytes, true)
		return nil, ctx.Err()
	}
	heap.Remove(&l.waiting, t.index)
	t.who.waiting--
	g.admit(l)
	return nil, ctx.Err()
}

// queue puts a query into a lane. g.mu is held.
func (g *Gate) queue(l *lane, who string, nBytes int64) (*ticket, error) {
	s := l.subjects[who]
	if s == nil {
		l.forget()
		s = &subject{}
		l.subjects[who] = s
	}
	if g.limits.Waiting > 0 && len(l.waiting) >= g.limits.Waiting || g.limits.WaitingEach > 0 && s.waiting >= g.limits.WaitingEach {
		return nil, ErrBusy
	}
	t := &ticket{who: s, bytes: min(max(nBytes, 0), l.bytes), turn: max(l.now, s.next), arrival: l.arrivals, in: make(chan struct{})}
	s.next = t.turn + max(t.bytes, least)
	l.latest = max(l.latest, s.next)
	s.waiting++
	l.arrivals++
	heap.Push(&l.waiting, t)
	return t, nil
}

// forget drops subjects that have no standing left, when there are many. Their gate's mu is held.
func (l *lane) forget() {
	if len(l.subjects) < manySubjects {
		return
	}
	for who, s := range l.subjects {
		if s.waiting == 0 && s.next <= l.now {
			delete(l.subjects, who)
		}
	}
}

// admit lets in who is next as long as there is room. g.mu is held.
func (g *Gate) admit(l *lane) {
	for len(l.waiting) > 0 && l.waiting[0].bytes <= l.free && (g.limits.Running == 0 || l.running < g.limits.Running) {
		t := heap.Pop(&l.waiting).(*ticket)
		t.who.waiting--
		l.now = max(l.now, t.turn)
		l.free -= t.bytes
		l.running++
		close(t.in)
	}
}

// release gives room back. g.mu is held.
func (g *Gate) release(l *lane, nBytes int64, computing bool) {
	l.free += nBytes
	if computing {
		l.running--
	}
	g.admit(l)
	if l.free == l.bytes {
		l.now = l.latest // nobody is here: all begin anew
	}
}

// Grow books nBytes more if they are free now and nobody waits for them, and tells whether it did.
func (p *Pass) Grow(nBytes int64) bool {
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := &g.lanes[0]; p.lane == l && (len(l.waiting) > 0 || nBytes > l.free) || nBytes > p.lane.free {
		p.refused = true
		return false
	}
	p.lane.free -= nBytes
	p.bytes += nBytes
	return true
}

// Refused reports whether Grow ever found too little.
func (p *Pass) Refused() bool {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	return p.refused
}

// Computed gives the place to another query; the memory stays booked.
func (p *Pass) Computed() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	if p.computing {
		p.computing = false
		p.gate.release(p.lane, 0, true)
	}
}

// Leave gives all back. A pass is left once.
func (p *Pass) Leave() {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.release(p.lane, p.bytes, p.computing)
	p.bytes, p.computing = 0, false
}

// Counts are what a gate holds now.
type Counts struct {
	// Bytes are booked, Running queries compute, Waiting ones wait.
	Bytes            int64
	Running, Waiting int
}

// Counts returns what the gate holds now, of both lanes together.
func (g *Gate) Counts() Counts {
	g.mu.Lock()
	defer g.mu.Unlock()
	var c Counts
	for i := range g.lanes {
		l := &g.lanes[i]
		c.Bytes += l.bytes - l.free
		c.Running += l.running
		c.Waiting += len(l.waiting)
	}
	return c
}

// waitingList is a heap of those who wait, the next one first.
type waitingList []*ticket

// Len is for package heap, as the other methods are.
func (w waitingList) Len() int { return len(w) }

// Less orders by turn, and by arrival where turns are the same.
func (w waitingList) Less(i, j int) bool {
	if w[i].turn != w[j].turn {
		return w[i].turn < w[j].turn
	}
	return w[i].arrival < w[j].arrival
}

// Swap keeps the places of both.
func (w waitingList) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

// Push appends a ticket.
func (w *waitingList) Push(x any) {
	t := x.(*ticket)
	t.index = len(*w)
	*w = append(*w, t)
}

// Pop takes the last ticket off.
func (w *waitingList) Pop() any {
	old := *w
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*w, t.index = old[:len(old)-1], -1
	return t
}
