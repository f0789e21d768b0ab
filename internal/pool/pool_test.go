package pool

import (
	"errors"
	"runtime/debug"
	"sync"
	"testing"

	"azulejo/datatype"
)

func TestBuffersHaveTheLengthAskedFor(t *testing.T) {
	for _, n := range []int{0, 1, 1023, 1024, 1025, 65536, 1 << 26, 1<<26 + 1} {
		b := Get(n)
		if len(b.B) != n {
			t.Errorf("Get(%d) has %d bytes", n, len(b.B))
		}
		if _, ok := datatype.Alias[int64](b.B); !ok {
			t.Errorf("Get(%d) is not aligned", n)
		}
		b.Release()
	}
	var none *Buffer
	none.Release()
}

func TestLendingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // a collection would empty the pool
	Get(4000).Release()
	if n := testing.AllocsPerRun(100, func() { Get(4000).Release() }); n > 0 {
		t.Errorf("%v allocations a loan", n)
	}
}

func TestBudget(t *testing.T) {
	b := NewBudget(100)
	if err := b.Take(60); err != nil {
		t.Fatal(err)
	}
	if err := b.Take(41); !errors.Is(err, ErrBudget) || b.Used() != 60 {
		t.Errorf("second loan: %v, used %d", err, b.Used())
	}
	b.Give(60)
	if err := b.Take(100); err != nil {
		t.Error(err)
	}
	var open Budget
	if err := open.Take(1 << 60); err != nil {
		t.Errorf("a budget without limit: %v", err)
	}
}

func TestGrowingBudget(t *testing.T) {
	room := int64(3 * growStep)
	b := NewGrowingBudget(10*growStep, 100, func(n int64) bool {
		if n > room {
			return false
		}
		room -= n
		return true
	})
	for _, n := range []int64{60, 40} {
		if err := b.Take(n); err != nil || room != 3*growStep {
			t.Errorf("within what is granted: %v", err)
		}
	}
	if err := b.Take(growStep + 1); err != nil || room != growStep {
		t.Errorf("growing: %v, %d left", err, room)
	}
	if err := b.Take(4 * growStep); !errors.Is(err, ErrBudget) || b.Used() != 100+growStep+1 {
		t.Errorf("more than there is: %v, %d used", err, b.Used())
	}
	b.Give(growStep + 1)
	if err := b.Take(growStep); err != nil || room != growStep {
		t.Errorf("what was granted stays: %v, %d left", err, room)
	}
}

func TestBudgetIsNeverOverdrawn(t *testing.T) {
	b := NewBudget(50)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				if b.Take(10) == nil {
					b.Give(10)
				}
			}
		})
	}
	wg.Wait()
	if b.Used() != 0 {
		t.Errorf("%d bytes left over", b.Used())
	}
}
