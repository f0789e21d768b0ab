// Package load is test only: sixteen client processes read random windows of arrays that two others write and one
// consolidates and vacuums, all through the server, once left alone and once killed again and again. Every reply is
// checked cell by cell against what the acknowledged writes allow; testdata/load.py says how.
package load
