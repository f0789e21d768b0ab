// Package clients has tests only: releases of TileDB-Py that are years old do what the newest one does in
// internal/oracle/rest, with a local array and with one at the server, and get the same answers from both.
package clients
