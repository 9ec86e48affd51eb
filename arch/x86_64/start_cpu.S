/* SPDX-License-Identifier: MIT */
/*
 * Where a CPU starts that another one has told to. It begins as a PC always does, in real mode, in a page
 * below 1 MiB to which this code was copied; from there it goes to 64-bit mode in one step, as all it needs
 * is there: the first CPU's page tables and descriptors. Then it looks up its record, and with it its stack,
 * by the number of its local APIC.
 */

    .set STACK_END, 24                  /* struct cpu */

    .section .rodata
    .globl start_cpu
    .globl start_cpu_end
    .code16
start_cpu:
    cli
    cld
    mov %cs, %ax
    mov %ax, %ds
    mov $1 << 5, %eax                   /* physical address extension */
    mov %eax, %cr4
    mov $top_table, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx               /* EFER */
    rdmsr
    or $1 << 8, %eax                    /* long mode */
    wrmsr
    lgdtl start_descriptors - start_cpu
    mov $0x80000011, %eax               /* paging, protected mode; the caches on, which are off so far */
    mov %eax, %cr0
    ljmpl $0x08, $start_cpu_64
start_descriptors:
    .word 3 * 8 - 1
    .long descriptors
start_cpu_end:

    .text
    .code64
start_cpu_64:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $1, %eax
    cpuid
    shr $24, %ebx                       /* the local APIC's number */
    mov starting_cpus(, %rbx, 8), %rdi
    mov STACK_END(%rdi), %rsp
    xor %ebp, %ebp                      /* where backtraces end */
    call cpu_started                    /* does not return */

    .section .note.GNU-stack, "", @progbits
