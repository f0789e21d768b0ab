package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"azulejo/internal/usage"
)

type quotaCommand struct {
	Set  quotaSet  `cmd:"" help:"Set what a namespace may spend in a calendar month, UTC; what is left out is any number."`
	List quotaList `cmd:"" help:"List all quotas with what was spent of them this month."`
}

type quotaSet struct {
	dataFlag
	Namespace   string        `arg:"" help:"Name of the user or organization."`
	Requests    int64         `default:"-1" help:"Requests; -1 is any number."`
	Sent        int64         `default:"-1" help:"Bytes of replies; -1 is any number."`
	Received    int64         `default:"-1" help:"Bytes of requests; -1 is any number."`
	TaskSeconds time.Duration `default:"-1ms" name:"task-time" help:"Time of tasks, such as 90m; left out, any."`
}

// Run is called by the command line parser.
func (c *quotaSet) Run(ctx context.Context) (err error) {
	if min(c.Requests, c.Sent, c.Received) < usage.AnyNumber {
		return errors.New("a limit is 0 or more, or -1 for any number")
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	n, err := s.accounts.Namespace(ctx, c.Namespace)
	if err != nil {
		return fmt.Errorf("namespace %s: %w", c.Namespace, err)
	}
	limit := usage.Counts{Requests: c.Requests, Sent: c.Sent, Received: c.Received, TaskMillis: max(c.TaskSeconds.Milliseconds(), usage.AnyNumber)}
	if err := usage.New(s.db, time.Now).SetQuota(ctx, n.ID, limit); err != nil {
		return err
	}
	fmt.Printf("quota of %s set\n", n.Name)
	return nil
}

type quotaList struct{ dataFlag }

// Run is called by the command line parser.
func (c *quotaList) Run(ctx context.Context) (err error) {
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	all, err := usage.New(s.db, time.Now).Quotas(ctx)
	if err != nil {
		return err
	}
	var lines []string
	for id, q := range all {
		n, err := s.accounts.Namespace(ctx, id)
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%s\trequests %s\tsent %s\treceived %s\ttask ms %s", n.Name, spent(q.Spent.Requests, q.Limit.Requests), spent(q.Spent.Sent, q.Limit.Sent),
			spent(q.Spent.Received, q.Limit.Received), spent(q.Spent.TaskMillis, q.Limit.TaskMillis)))
	}
	slices.Sort(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}

// spent is a number with its limit.
func spent(n, limit int64) string {
	if limit == usage.AnyNumber {
		return strconv.FormatInt(n, 10)
	}
	return fmt.Sprintf("%d of %d", n, limit)
}

type usageCommand struct {
	dataFlag
	Namespace string `arg:"" optional:"" help:"Only what this user or organization paid."`
	From      string `help:"First day, such as 2027-01-31; left out, 30 days ago."`
	To        string `help:"Last day; left out, today."`
	By        string `default:"payer" enum:"day,user,asset,payer" help:"Sum by day, user, asset or payer."`
}

// Run is called by the command line parser.
func (c *usageCommand) Run(ctx context.Context) (err error) {
	today := time.Now().UTC().Truncate(24 * time.Hour)
	f := usage.Filter{From: today.AddDate(0, 0, -30), To: today, By: usage.By(c.By), Most: 1_000_000}
	for _, day := range []struct {
		text string
		at   *time.Time
	}{{c.From, &f.From}, {c.To, &f.To}} {
		if day.text == "" {
			continue
		}
		if *day.at, err = time.Parse(time.DateOnly, day.text); err != nil {
			return fmt.Errorf("%q is not a day such as 2027-01-31", day.text)
		}
	}
	s, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.db.Close()) }()
	if c.Namespace != "" {
		n, err := s.accounts.Namespace(ctx, c.Namespace)
		if err != nil {
			return fmt.Errorf("namespace %s: %w", c.Namespace, err)
		}
		f.PayerID = n.ID
	}
	list, err := usage.New(s.db, time.Now).Report(ctx, f)
	if err != nil {
		return err
	}
	out := csv.NewWriter(os.Stdout)
	rows := [][]string{{"day", "id", "name", "requests", "bytes_sent", "bytes_received", "task_ms"}}
	for _, r := range list {
		rows = append(rows, []string{r.Day.Format(time.DateOnly), r.ID, r.Name, strconv.FormatInt(r.Requests, 10), strconv.FormatInt(r.Sent, 10),
			strconv.FormatInt(r.Received, 10), strconv.FormatInt(r.TaskMillis, 10)})
	}
	return out.WriteAll(rows)
}
