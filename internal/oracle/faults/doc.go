// Package faults has tests only: what goes wrong: refused requests, damaged files, hostile input, a server killed in the middle of writes.
package faults
