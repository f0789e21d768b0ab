package db

import (
	"errors"
	"testing"
	"time"
)

func TestMemo(t *testing.T) {
	clock, finds := time.Unix(1000, 0), 0
	m := NewMemo[string, int](&DB{}, func() time.Time { return clock })
	get := func() int {
		v, err := m.Get(t.Context(), "k", func() (int, error) { finds++; return finds, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	if get() != 1 || get() != 1 {
		t.Error("the second look-up was not remembered")
	}
	m.Forget()
	if get() != 2 {
		t.Error("remembered beyond a write")
	}
	clock = clock.Add(memoLife)
	if get() != 3 {
		t.Error("remembered for too long")
	}
	v, err := m.Get(t.Context(), "other", func() (int, error) {
		m.Forget() // a write while the look-up runs
		return 7, nil
	})
	if v != 7 || err != nil || len(m.known) != 0 {
		t.Errorf("found %d, %v; %d remembered", v, err, len(m.known))
	}
	boom := errors.New("boom")
	if _, err := m.Get(t.Context(), "bad", func() (int, error) { return 0, boom }); err != boom || len(m.known) != 0 {
		t.Errorf("error %v, %d remembered", err, len(m.known))
	}
	for i := range memoSize + 5 {
		m.Get(t.Context(), string(rune('a'))+time.Duration(i).String(), func() (int, error) { return i, nil })
	}
	if len(m.known) > memoSize {
		t.Errorf("%d remembered", len(m.known))
	}
	small := NewSmallMemo[int, int](&DB{}, time.Now, 3)
	for i := range 10 {
		small.Get(t.Context(), i, func() (int, error) { return i, nil })
	}
	if len(small.known) > 3 {
		t.Errorf("%d remembered of at most 3", len(small.known))
	}
}
