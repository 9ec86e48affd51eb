/* SPDX-License-Identifier: MIT */
/*
 * From the loader to the kernel on x86_64. A Multiboot loader enters in 32-bit mode without paging: the first
 * half maps the first 4 GiB at themselves and enters long mode; the second half makes the heap and moves the
 * kernel's stack and boot record into it, by the C ABI's plain calls. Nothing in C++ but the heap itself has
 * run by then.
 */

    .set MULTIBOOT_MAGIC, 0x1badb002
    .set MULTIBOOT_FLAGS, 3             /* modules on page borders; the memory's sizes */
    .set PAGE, 4096
    .set STACK_BYTES, 16384
    .set SMALL, 100                     /* bytes of a block to try the heap with */

    .set PRESENT_WRITABLE, 0x03
    .set LARGE_PAGE, 0x83               /* present, writable, 2 MiB */
    .set DIRECTORIES, 4                 /* of 512 large pages each: 4 GiB */

    .set STACK_START, 16                /* struct cpu */
    .set STACK_END, 24

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .section .bss
    .balign PAGE
    .globl top_table
top_table:
    .skip PAGE
pointer_table:
    .skip PAGE
directories:
    .skip DIRECTORIES * PAGE
low_table:
    .skip PAGE
    .globl boot_stack
boot_stack:
    .skip STACK_BYTES
    .globl boot_stack_top
boot_stack_top:

    .section .data
    .balign 8
    .globl descriptors
descriptors:
    .quad 0
    .quad 0x00af9a000000ffff            /* 0x08: 64-bit code */
    .quad 0x00cf92000000ffff            /* 0x10: data */
descriptors_end:
descriptor_register:
    .word descriptors_end - descriptors - 1
    .quad descriptors

    .section .rodata
no_long_mode_text:
    .asciz "This kernel needs a 64-bit CPU.\r\n"

/* The loader's words: eax, its magic number, and ebx, its records. They wait in edi and esi. */
    .text
    .code32
    .globl start
start:
    cld
    mov %eax, %edi
    mov %ebx, %esi

    mov $0x80000000, %eax
    cpuid
    cmp $0x80000001, %eax
    jb no_long_mode
    mov $0x80000001, %eax
    cpuid
    test $1 << 29, %edx
    jz no_long_mode

    movl $pointer_table + PRESENT_WRITABLE, top_table
    mov $directories + PRESENT_WRITABLE, %eax
    mov $pointer_table, %edx
    mov $DIRECTORIES, %ecx
point_to_directory:
    mov %eax, (%edx)
    add $PAGE, %eax
    add $8, %edx
    loop point_to_directory

    mov $LARGE_PAGE, %eax
    mov $directories, %edx
    mov $DIRECTORIES * 512, %ecx
map_large_page:
    mov %eax, (%edx)
    add $2 << 20, %eax
    add $8, %edx
    loop map_large_page

/* The first large page again, in pages. */
    movl $low_table + PRESENT_WRITABLE, directories
    mov $PRESENT_WRITABLE, %eax
    mov $low_table, %edx
    mov $512, %ecx
map_page:
    mov %eax, (%edx)
    add $PAGE, %eax
    add $8, %edx
    loop map_page

    mov $top_table, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $1 << 5, %eax                    /* physical address extension */
    mov %eax, %cr4
    mov $0xc0000080, %ecx               /* EFER */
    rdmsr
    or $1 << 8, %eax                    /* long mode */
    wrmsr
    mov %cr0, %eax
    or $1 << 31, %eax                   /* paging */
    mov %eax, %cr0
    lgdt descriptor_register
    ljmp $0x08, $long_mode

/* There is no C that a 32-bit CPU could run: the sentence goes to the first serial port from here. */
no_long_mode:
    mov $no_long_mode_text, %esi
    mov $0x3f8, %edx
1:  lodsb
    test %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  mov $0x12, %al                      /* VERDICT_CRASH */
    outb %al, $0xf4
3:  cli
    hlt
    jmp 3b

    .code64
long_mode:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp                      /* where backtraces end */
    mov %edi, %edi                      /* the upper halves are undefined after the change of mode */
    mov %esi, %esi
    call early_start

/* The heap: its first region is what early_start found in the loader's map. */
    mov first_region(%rip), %rdi
    mov first_region + 8(%rip), %rsi
    call slab_heap_init
    lea no_heap(%rip), %rdi
    test %eax, %eax
    jnz panic_called
    lea heap_call(%rip), %rdi
    mov first_region(%rip), %rsi
    mov first_region + 8(%rip), %rdx
    xor %ecx, %ecx
    call report_call

/* The kernel's stack: pages of the heap, the lowest of them a guard. */
    mov $PAGE + STACK_BYTES, %edi
    mov $PAGE, %esi
    call slab_alloc
    mov %rax, %rbx
    lea no_stack(%rip), %rdi
    test %rax, %rax
    jz panic_called
    test $PAGE - 1, %eax
    jnz panic_called
    mov %rbx, %rdi
    call machine_guard
    lea no_guard(%rip), %rdi
    test %eax, %eax
    jz panic_called
    lea PAGE(%rbx), %rax
    mov %rax, first_cpu + STACK_START(%rip)
    add $STACK_BYTES, %rax
    mov %rax, first_cpu + STACK_END(%rip)
    mov %rax, %rsp
    lea stack_call(%rip), %rdi
    mov $PAGE + STACK_BYTES, %esi
    mov $PAGE, %edx
    mov %rbx, %rcx
    call report_call

/* A block that is freed is the next one of its size class that is handed out, unless a defence chooses. */
    mov $SMALL, %edi
    mov $8, %esi
    call slab_alloc
    mov %rax, %rbx
    lea no_block(%rip), %rdi
    test %rax, %rax
    jz panic_called
    lea block_call(%rip), %rdi
    mov $SMALL, %esi
    mov $8, %edx
    mov %rbx, %rcx
    call report_call
    mov %rbx, %rdi
    call slab_free
    lea free_call(%rip), %rdi
    mov %rbx, %rsi
    call report_call
    mov $SMALL, %edi
    mov $8, %esi
    call slab_alloc
#ifndef NEXT_BLOCK_VARIES
    lea not_again(%rip), %rdi
    cmp %rax, %rbx
    jne panic_called
#endif
    mov %rax, %rbx
    lea again_call(%rip), %rdi
    mov $SMALL, %esi
    mov $8, %edx
    mov %rbx, %rcx
    call report_call
    mov %rbx, %rdi
    call slab_free

/* The boot record, which C fills in. */
    mov boot_info_bytes(%rip), %rdi
    mov $16, %esi
    call slab_alloc
    mov %rax, %rbx
    lea no_block(%rip), %rdi
    test %rax, %rax
    jz panic_called
    lea record_call(%rip), %rdi
    mov boot_info_bytes(%rip), %rsi
    mov $16, %edx
    mov %rbx, %rcx
    call report_call
    mov %rbx, %rdi
    call early_main                     /* does not return */

/* The sentence was loaded before the test that led here. */
panic_called:
    call panic

    .section .note.GNU-stack, "", @progbits
