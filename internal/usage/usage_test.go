package usage

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"azulejo/internal/account"
	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

// world is a database with a user and a clock.
type world struct {
	*Usage
	clock *time.Time
	user  account.User
}

func newWorld(t testing.TB) world {
	t.Helper()
	d, err := db.Open(context.Background(), dbtest.Source(t, filepath.Join(t.TempDir(), "u.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := world{clock: new(time.Time)}
	*w.clock = time.Date(2027, 1, 31, 23, 0, 0, 0, time.UTC)
	now := func() time.Time { return *w.clock }
	if w.user, err = account.New(d, now, 2).Create(context.Background(), account.NewUser{Name: "ann", Password: "a long password"}); err != nil {
		t.Fatal(err)
	}
	w.Usage = New(d, now)
	return w
}

func TestQuotaIsSpentAndBeginsAnew(t *testing.T) {
	w := newWorld(t)
	ctx, id := t.Context(), w.user.NamespaceID
	me := Account{PayerID: id, UserID: w.user.ID, AssetID: "x"}
	if err := w.Check(ctx, id, "ann"); err != nil {
		t.Fatalf("without a quota: %v", err)
	}
	if err := w.SetQuota(ctx, id, Counts{Requests: 3, Sent: 100, Received: AnyNumber, TaskMillis: AnyNumber}); err != nil {
		t.Fatal(err)
	}
	spent := func() bool {
		t.Helper()
		err := w.Check(ctx, id, "ann")
		if err != nil && !errors.Is(err, ErrSpent) {
			t.Fatal(err)
		}
		return err != nil
	}
	// Two requests are within it, written down or not; the third is the last.
	for i := range 3 {
		if spent() {
			t.Errorf("spent after %d requests", i)
		}
		w.Add(me, Counts{Requests: 1, Sent: 10, Received: 1 << 40})
		if i == 1 {
			if err := w.Flush(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Check(ctx, id, "ann"); err == nil || !strings.Contains(err.Error(), "ann has used 3 of 3 requests this month, which ends on 1 February 2027 00:00 UTC") {
		t.Errorf("%v", err)
	}
	if q, ok, err := w.QuotaOf(ctx, id); err != nil || !ok || q.Spent != (Counts{3, 30, 3 << 40, 0}) || q.Limit.Sent != 100 {
		t.Errorf("%+v, %v, %v", q, ok, err)
	}
	*w.clock = w.clock.Add(2 * time.Hour) // another month
	if spent() {
		t.Error("spent in the month after")
	}
	w.Add(me, Counts{Requests: 1, Sent: 100})
	if err := w.Check(ctx, id, "ann"); err == nil || !strings.Contains(err.Error(), "100 of 100 bytes sent") {
		t.Errorf("%v", err)
	}
	if err := w.SetQuota(ctx, id, Counts{AnyNumber, AnyNumber, AnyNumber, AnyNumber}); err != nil || spent() {
		t.Errorf("the quota was taken away: %v", err)
	}
	if err := w.SetQuota(ctx, id, Counts{TaskMillis: 0, Requests: AnyNumber, Sent: AnyNumber, Received: AnyNumber}); err != nil || !spent() {
		t.Errorf("a quota of nothing: %v", err)
	}
}

func TestReports(t *testing.T) {
	w := newWorld(t)
	ctx, id := t.Context(), w.user.NamespaceID
	add := func(user, asset string, n int64) {
		w.Add(Account{PayerID: id, UserID: user, AssetID: asset}, Counts{Requests: n, Sent: 10 * n, Received: n, TaskMillis: 5})
	}
	add(w.user.ID, "x", 1)
	add(w.user.ID, "x", 2)
	add("gone", "y", 4)
	w.Add(Account{PayerID: "other", UserID: w.user.ID, AssetID: "x"}, Counts{Requests: 100})
	*w.clock = w.clock.Add(24 * time.Hour)
	add(w.user.ID, "", 8)
	day := func(d int) time.Time { return time.Date(2027, 1, d, 0, 0, 0, 0, time.UTC) }
	for name, tc := range map[string]struct {
		f    Filter
		want string
	}{
		"by day":         {Filter{PayerID: id, From: day(1), To: day(40)}, "01-31 : 7 70 7 15; 02-01 : 8 80 8 5; "},
		"by user":        {Filter{PayerID: id, From: day(31), To: day(31), By: ByUser}, "01-31 ann: 3 30 3 10; 01-31 : 4 40 4 5; "},
		"by asset":       {Filter{PayerID: id, From: day(31), To: day(31), By: ByAsset}, "01-31 : 3 30 3 10; 01-31 : 4 40 4 5; "},
		"of an asset":    {Filter{AssetID: "x", From: day(1), To: day(40), By: ByPayer}, "01-31 ann: 3 30 3 10; 01-31 : 100 0 0 0; "},
		"of other days":  {Filter{PayerID: id, From: day(2), To: day(3)}, ""},
		"of a stranger":  {Filter{PayerID: "nobody", From: day(1), To: day(40)}, ""},
		"the second day": {Filter{PayerID: id, From: day(32), To: day(32), By: ByAsset}, "02-01 : 8 80 8 5; "},
	} {
		tc.f.Most = 10
		list, err := w.Report(ctx, tc.f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		parts := map[string]bool{}
		for _, r := range list {
			parts[line(r)] = true
		}
		want := map[string]bool{}
		for part := range strings.SplitAfterSeq(tc.want, "; ") {
			if part != "" {
				want[part] = true
			}
		}
		if len(parts) != len(want) || len(list) != len(want) {
			t.Errorf("%s: %v, want %v", name, parts, want)
		}
		for p := range want {
			if !parts[p] {
				t.Errorf("%s: %v, want %v", name, parts, want)
			}
		}
	}
	if _, err := w.Report(ctx, Filter{PayerID: id, From: day(1), To: day(40), By: ByUser, Most: 2}); !errors.Is(err, ErrMany) {
		t.Errorf("three records where two are enough: %v", err)
	}
	if _, err := w.Report(ctx, Filter{By: "x"}); err == nil {
		t.Error("sums by x")
	}
}

// What is added from many sides is all written when the end comes.
func TestNothingIsLost(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	var running, adding sync.WaitGroup
	running.Go(func() { w.Run(ctx, func(err error) { t.Error(err) }) })
	for range 8 {
		adding.Go(func() {
			for range 10_000 {
				w.Add(Account{PayerID: w.user.NamespaceID, UserID: w.user.ID}, Counts{Requests: 1})
			}
		})
	}
	adding.Wait()
	stop()
	running.Wait()
	var n int64
	if err := w.db.Read().QueryRowContext(t.Context(), "SELECT sum(requests) FROM usage").Scan(&n); err != nil || n != 80_000 {
		t.Errorf("%d, %v", n, err)
	}
}

func line(r Record) string {
	return r.Day.Format("01-02") + " " + r.Name + ": " + strings.Join([]string{number(r.Requests), number(r.Sent), number(r.Received), number(r.TaskMillis)}, " ") + "; "
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
