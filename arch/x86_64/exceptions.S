/* SPDX-License-Identifier: MIT */
/*
 * Where the CPU enters on an exception: one entry per vector, 16 bytes apart. Each completes the frame that
 * exceptions.h describes: by its number, by a 0 where the CPU has not pushed an error code, and by the
 * registers. The clock's interrupt only has to be acknowledged; what waits for it is behind its hlt.
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
    push %r15
    push %r14
    push %r13
    push %r12
    push %r11
    push %r10
    push %r9
    push %r8
    push 8 * 8 + 5 * 8(%rsp)            /* rsp, as the CPU pushed it above the five words of our frame */
    push %rbp
    push %rdi
    push %rsi
    push %rdx
    push %rcx
    push %rbx
    push %rax
    mov %rsp, %rdi
    and $-16, %rsp
    call exception                      /* does not return */

    .globl clock_entry
clock_entry:
    push %rax
    mov $0x20, %al                      /* end of interrupt, to the interrupt controller */
    outb %al, $0x20
    pop %rax
    iretq

    .section .note.GNU-stack, "", @progbits
