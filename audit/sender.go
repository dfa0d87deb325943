package audit

import "time"

// run sends batches until the queue is closed and empty.
func (q *Queue) run() {
	defer close(q.done)
	defer q.stopSending()
	s := &sender{q: q}
	timer := time.NewTimer(q.options.Delay)
	for {
		select {
		case <-q.begun:
		case <-q.closing:
			s.send()
			s.send() // tells what the one before lost, or does nothing
			return
		}
		timer.Reset(q.options.Delay)
		select {
		case <-q.filled:
		case <-timer.C:
		case <-q.closing:
		}
		s.send()
	}
}

// sender is the queue's goroutine.
type sender struct {
	q       *Queue
	failing bool
}

// send sends all that is waiting, and after it how many events are missing.
func (s *sender) send() {
	q := s.q
	q.mu.Lock()
	batches, untold := q.waiting, q.lost-q.told
	q.waiting, q.size = nil, 0
	q.mu.Unlock()
	for _, b := range batches {
		s.sendOne(b, 0)
	}
	if untold > 0 {
		told := q.out.Append(nil, Event{Time: time.Now(), Type: EventsLost, Lost: untold})
		s.sendOne(batch{encoded: told}, untold)
	}
}

// sendOne sends the events, or that so many were lost.
func (s *sender) sendOne(b batch, untold uint64) {
	q, sent := s.q, max(b.events, 1)
	arrived, err := q.out.Send(q.sending, b.encoded, sent)
	lost := max(0, b.events-arrived)
	q.mu.Lock()
	q.written += uint64(b.events - lost)
	q.lost += uint64(lost)
	if arrived == sent {
		q.told += untold
	}
	if len(q.free) < maxFree && cap(b.encoded) == q.options.Batch {
		q.free = append(q.free, b.encoded[:0])
	}
	q.mu.Unlock()
	s.log(lost, err)
}

// log tells of the first failure and of the end of it.
func (s *sender) log(lost int, err error) {
	failed := err != nil
	if s.q.options.Logger == nil || failed == s.failing {
		return
	}
	s.failing = failed
	if failed {
		s.q.options.Logger.Error("audit events are lost", "lost", lost, "error", err)
		return
	}
	s.q.options.Logger.Info("audit events arrive again", "lost", s.q.Lost())
}
