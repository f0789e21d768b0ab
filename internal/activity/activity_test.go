package activity

import (
	"context"
	"database/sql"
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
