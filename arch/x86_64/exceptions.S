/* SPDX-License-Identifier: MIT */
/*
 * Where the CPU enters on an exception: one entry per vector, 16 bytes apart. Each completes the frame that
 * pc.h describes by its number, and by a 0 where the CPU has not pushed an error code.
 */

    .set WITH_ERROR_CODE, 0x60227d00    /* one bit per vector */
    .set vector, 0

    .text
    .globl exception_entries
    .balign 16
exception_entries:
    .rept 32
    .balign 16
    .if ((WITH_ERROR_CODE >> vector) & 1) == 0
    push $0
    .endif
    push $vector
    jmp report
    .set vector, vector + 1
    .endr

report:
    cld
    mov %rsp, %rdi
    and $-16, %rsp
    call exception                      /* does not return */

    .section .note.GNU-stack, "", @progbits
