package activity

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"azulejo/internal/db"
	"azulejo/internal/oracle/dbtest"
)

func TestRecordAndList(t *testing.T) {
	ctx := context.Background()
	d, err := db.Open(ctx, dbtest.Source(t, filepath.Join(t.TempDir(), "x.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	first := Entry{At: time.Unix(100, 0).UTC(), Event: TokenCreated, UserID: "u", TokenID: "t", TokenName: "ci",
		Origin: Origin{Address: "192.0.2.1", RequestID: "r"}, Detail: "array:read"}
	second := Entry{At: time.Unix(101, 0).UTC(), Event: TokenRevoked, UserID: "u"}
	err = d.Update(ctx, func(tx *sql.Tx) error {
		for _, e := range []Entry{first, {UserID: "other"}, second} {
			if err := Record(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := List(ctx, d.Read(), "u", 10)
	if err != nil || len(list) != 2 || list[0] != second || list[1] != first {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestFind(t *testing.T) {
	d, err := db.Open(t.Context(), dbtest.Source(t, filepath.Join(t.TempDir(), "a.db")))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for i, e := range []Entry{{Event: TokenCreated, UserID: "a"}, {Event: PasswordFailed}, {Event: TokenRevoked, UserID: "a"}, {Event: TokenRevoked, UserID: "b"}} {
		e.At = time.Unix(int64(100+i), 0)
		if err := d.Update(t.Context(), func(tx *sql.Tx) error { return Record(t.Context(), tx, e) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		f     Filter
		limit int
		want  string
	}{{Filter{}, 10, "103 102 101 100 "}, {Filter{}, 2, "103 102 "}, {Filter{UserID: "a"}, 10, "102 100 "}, {Filter{Event: TokenRevoked}, 10, "103 102 "},
		{Filter{Since: time.Unix(101, 0), End: time.Unix(103, 0)}, 10, "102 101 "}, {Filter{UserID: "b", Event: TokenCreated}, 10, ""}} {
		list, err := Find(t.Context(), d.Read(), c.f, c.limit)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range list {
			got += fmt.Sprint(e.At.Unix(), " ")
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.f, got, c.want)
		}
	}
}
