/* SPDX-License-Identifier: MIT */
/*
 * A call, counted. The time-stamp counter is read right before and right behind it; where QEMU runs with
 * -icount shift=0, it moves by one with every instruction. What lies between the two readings and is not the
 * call is a number that is known: it is taken off.
 */

    .set FUNCTION, 0                    /* struct counted_call */
    .set ARGUMENTS, 4
    .set RESULT, 20
    .set INSTRUCTIONS, 24
    .set OWN, 8                         /* from behind the first rdtsc to the second, without the callee's */

    .text
    .globl machine_count
machine_count:
    push %ebp
    mov %esp, %ebp
    push %ebx
    push %esi
    mov 8(%ebp), %ebx
    rdtsc
    mov %eax, %esi
    push ARGUMENTS + 12(%ebx)
    push ARGUMENTS + 8(%ebx)
    push ARGUMENTS + 4(%ebx)
    push ARGUMENTS(%ebx)
    call *FUNCTION(%ebx)
    mov %eax, RESULT(%ebx)
    rdtsc
    sub %esi, %eax
    sub $OWN, %eax
    mov %eax, INSTRUCTIONS(%ebx)
    lea -8(%ebp), %esp
    pop %esi
    pop %ebx
    pop %ebp
    ret

    .globl machine_spin
machine_spin:
    mov 4(%esp), %ecx
1:  dec %ecx
    jnz 1b
    ret

    .section .note.GNU-stack, "", @progbits
