/* SPDX-License-Identifier: MIT */
/*
 * From the loader to the kernel on i386. A Multiboot loader enters in 32-bit mode without paging. All 4
 * GiB are mapped at themselves: an address is what the heap and the bus both call by it, and what nobody
 * may touch can be made inaccessible. Then this makes the heap and moves the kernel's stack and boot
 * record into it, by the C ABI's plain calls: arguments on the stack, the first on top, left there
 * because the kernel never returns through them. Nothing in C++ but the heap itself has run by then.
 */

    .set MULTIBOOT_MAGIC, 0x1badb002
    .set MULTIBOOT_FLAGS, 3             /* modules on page borders; the memory's sizes */
    .set PAGE, 4096
    .set STACK_BYTES, 16384
    .set SMALL, 100                     /* bytes of a block to try the heap with */

    .set PRESENT_WRITABLE, 0x03
    .set LARGE_PAGE, 0x83               /* present, writable, 4 MiB */
    .set ENTRIES, 1024

    .section .multiboot, "a"
    .balign 4
    .long MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

    .section .bss
    .balign PAGE
    .globl top_table
top_table:
    .skip PAGE
    .globl low_table
low_table:
    .skip PAGE
boot_stack:
    .skip STACK_BYTES
boot_stack_top:

    .section .data
    .balign 8
descriptors:
    .quad 0
    .quad 0x00cf9a000000ffff            /* 0x08: code, all 4 GiB */
    .quad 0x00cf92000000ffff            /* 0x10: data, all 4 GiB */
    .globl own_descriptors
own_descriptors:
    .quad 0, 0                          /* 0x18, 0x20: tasks */
    .quad 0                             /* 0x28: the CPU's record, for GS */
descriptors_end:
descriptor_register:
    .word descriptors_end - descriptors - 1
    .long descriptors

    .balign 4
    .globl kernel_stack
kernel_stack:
    .long boot_stack, boot_stack_top

/* The loader's words: eax, its magic number, and ebx, its records. They wait in edi and esi. */
    .text
    .globl start
start:
    cld
    mov %eax, %edi
    mov %ebx, %esi
    mov $boot_stack_top, %esp
    xor %ebp, %ebp                      /* where backtraces end */
    lgdt descriptor_register
    ljmp $0x08, $1f
1:  mov $0x10, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    mov %ecx, %fs
    mov %ecx, %gs
    mov %ecx, %ss

/* The lowest 4 MiB in pages, the others in large pages. */
    mov $PRESENT_WRITABLE, %eax
    mov $low_table, %edx
    mov $ENTRIES, %ecx
1:  mov %eax, (%edx)
    add $PAGE, %eax
    add $4, %edx
    loop 1b

    movl $low_table + PRESENT_WRITABLE, top_table
    mov $(4 << 20) + LARGE_PAGE, %eax
    mov $top_table + 4, %edx
    mov $ENTRIES - 1, %ecx
1:  mov %eax, (%edx)
    add $4 << 20, %eax
    add $4, %edx
    loop 1b

    mov $top_table, %eax
    mov %eax, %cr3
    mov %cr4, %eax
    or $1 << 4, %eax                    /* large pages */
    mov %eax, %cr4
    mov %cr0, %eax
    or $1 << 31, %eax                   /* paging */
    mov %eax, %cr0

    push %esi
    push %edi
    call early_start

/* The heap: its first region is what early_start found in the loader's map. */
    push first_region + 4
    push first_region
    call slab_heap_init
    push $no_heap
    test %eax, %eax
    jnz panic_called
    push $0
    push first_region + 4
    push first_region
    push $heap_call
    call report_call

/* The kernel's stack: pages of the heap, the lowest of them a guard. */
    push $PAGE
    push $PAGE + STACK_BYTES
    call slab_alloc
    mov %eax, %ebx
    push $no_stack
    test %eax, %eax
    jz panic_called
    test $PAGE - 1, %eax
    jnz panic_called
    push %ebx
    call machine_guard
    push $no_guard
    test %eax, %eax
    jz panic_called
    lea PAGE(%ebx), %eax
    mov %eax, kernel_stack
    add $STACK_BYTES, %eax
    mov %eax, kernel_stack + 4
    mov %eax, %esp
    push %ebx
    push $PAGE
    push $PAGE + STACK_BYTES
    push $stack_call
    call report_call

/* A block that is freed is the next one of its size class that is handed out, unless a defence chooses. */
    push $8
    push $SMALL
    call slab_alloc
    mov %eax, %ebx
    push $no_block
    test %eax, %eax
    jz panic_called
    push %ebx
    push $8
    push $SMALL
    push $block_call
    call report_call
    push %ebx
    call slab_free
    push $0
    push $0
    push %ebx
    push $free_call
    call report_call
    push $8
    push $SMALL
    call slab_alloc
#ifndef NEXT_BLOCK_VARIES
    push $not_again
    cmp %eax, %ebx
    jne panic_called
#endif
    mov %eax, %ebx
    push %ebx
    push $8
    push $SMALL
    push $again_call
    call report_call
    push %ebx
    call slab_free

/* The boot record, which C fills in. */
    push $16
    push boot_info_bytes
    call slab_alloc
    mov %eax, %ebx
    push $no_block
    test %eax, %eax
    jz panic_called
    push %ebx
    push $16
    push boot_info_bytes
    push $record_call
    call report_call
    push %ebx
    call early_main                     /* does not return */

/* The sentence was pushed before the test that led here. */
panic_called:
    call panic

    .section .note.GNU-stack, "", @progbits
