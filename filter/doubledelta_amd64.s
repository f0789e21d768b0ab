//go:build !purego

#include "textflag.h"

// func sumDoubleDeltas(dst *uint64, words *byte, n, bits int, last, delta uint64)
//
// The bits of a value are moved to the top of BX, from where the sign fills AX and the magnitude is shifted down.
//
//	DI place of the value  SI words  CX values left  R8 bits of a value  R9 bits read
//	R10 last value  R11 last difference  R12 64 less the bits of a magnitude
TEXT ·sumDoubleDeltas(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ words+8(FP), SI
	MOVQ n+16(FP), CX
	MOVQ bits+24(FP), R8
	MOVQ last+32(FP), R10
	MOVQ delta+40(FP), R11
	MOVQ $64, R12
	SUBQ R8, R12
	INCQ R8
	XORL R9, R9

	PCALIGN $32

next:
	MOVQ  R9, AX
	SHRQ  $6, AX
	MOVQ  (SI)(AX*8), BX
	MOVQ  8(SI)(AX*8), DX
	SHLXQ R9, BX, BX
	MOVQ  R9, AX
	NOTQ  AX
	SHRQ  $1, DX
	SHRXQ AX, DX, DX
	ORQ   DX, BX
	MOVQ  BX, AX
	SARQ  $63, AX
	ADDQ  BX, BX
	SHRXQ R12, BX, BX
	XORQ  AX, BX
	SUBQ  AX, BX
	ADDQ  BX, R11
	ADDQ  R11, R10
	MOVQ  R10, (DI)
	ADDQ  $8, DI
	ADDQ  R8, R9
	DECQ  CX
	JNZ   next
	RET
