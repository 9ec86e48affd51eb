/* SPDX-License-Identifier: MIT */
/*
 * A call, counted. The time-stamp counter is read right before and right behind it; where QEMU runs with
 * -icount shift=0, it moves by one with every instruction. What lies between the two readings and is not the
 * call is a number that is known: it is taken off.
 */

    .set FUNCTION, 0                    /* struct counted_call */
    .set ARGUMENTS, 8
    .set RESULT, 40
    .set INSTRUCTIONS, 48
    .set OWN, 8                         /* from behind the first rdtsc to the second, without the callee's */

    .text
    .globl machine_count
machine_count:
    push %rbp
    mov %rsp, %rbp
    push %rbx
    push %r12
    mov %rdi, %rbx
    rdtsc
    mov %eax, %r12d
    mov ARGUMENTS(%rbx), %rdi
    mov ARGUMENTS + 8(%rbx), %rsi
    mov ARGUMENTS + 16(%rbx), %rdx
    mov ARGUMENTS + 24(%rbx), %rcx
    call *FUNCTION(%rbx)
    mov %rax, RESULT(%rbx)
    rdtsc
    sub %r12d, %eax
    sub $OWN, %eax
    mov %rax, INSTRUCTIONS(%rbx)
    pop %r12
    pop %rbx
    pop %rbp
    ret

    .globl machine_spin
machine_spin:
    mov %rdi, %rcx
1:  dec %rcx
    jnz 1b
    ret

    .section .note.GNU-stack, "", @progbits
