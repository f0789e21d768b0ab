package query

import (
	"context"

	"azulejo/schema"
)

func checkAggregates(s *schema.Array, list []Aggregate) error { return nil }

func (r *reading) aggregates(ctx context.Context, complete bool) ([]Column, error) { return nil, nil }

func (r *reading) dense(ctx context.Context) (*Result, error) { return nil, ErrInvalid }
