import CLibBPF
import Linux

/// Frames that the kernel itself sends, as fast as one processor can: an XDP program, run on live frames, varies them
/// and redirects each to an interface of the calling thread's network namespace.
///
/// `BPF_PROG_TEST_RUN` with `BPF_F_TEST_XDP_LIVE_FRAMES`, from Linux 5.18 on. The interface behind a veth pair needs GRO
/// or XDP, or it takes none.
struct LiveFrames: ~Copyable, Sendable {
    /// What the program writes into each frame: Ethernet, IPv4 without options, then ports.
    enum Variation {
        /// Nothing: one flow.
        case none
        /// The source is one of so many, at random: 10.0.0.0 and up.
        case clients(UInt32)
        /// Source address and port at random, and one of four destination ports from this one on.
        case spoofed(ports: UInt16)
    }

    /// Frames in flight at a time: fewer than the ring of a veth holds, 256.
    private static let batch: UInt32 = 64
    private let program: Descriptor

    init(to interface: UInt32, _ variation: Variation) throws(SystemError) {
        let code = Self.code(interface, variation)
        let number = unsafe bpf_prog_load(BPF_PROG_TYPE_XDP, "generate", "GPL", code, code.count, nil)
        guard number >= 0 else { throw SystemError("bpf(BPF_PROG_LOAD, generate)", Errno(rawValue: -number)) }
        program = Descriptor(owning: number)
    }

    /// Sends `count` frames in one call, in the calling thread.
    func send(_ frame: [UInt8], count: Int32) throws(SystemError) {
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = MemoryLayout<bpf_test_run_opts>.size
        unsafe options.data_size_in = UInt32(frame.count)
        unsafe options.`repeat` = count
        unsafe options.flags = UInt32(BPF_F_TEST_XDP_LIVE_FRAMES)
        unsafe options.batch_size = Self.batch
        let number = program.rawValue
        let result = unsafe frame.withUnsafeBytes { bytes in
            unsafe options.data_in = bytes.baseAddress
            return unsafe bpf_prog_test_run_opts(number, &options)
        }
        guard result >= 0 else { throw SystemError("bpf(BPF_PROG_TEST_RUN, live frames)", Errno(rawValue: -result)) }
    }

    // MARK: - The program

    private static let sourceAddress: Int16 = 26
    private static let sourcePort: Int16 = 34
    private static let destinationPort: Int16 = 36

    /// r6: the frame. Frames come back to the pool changed, so each is changed anew.
    private static func code(_ interface: UInt32, _ variation: Variation) -> [bpf_insn] {
        let changes = changes(variation)
        return [
            instruction(BPF_LDX | BPF_MEM | BPF_W, to: 6, from: 1, offset: 0),
            instruction(BPF_LDX | BPF_MEM | BPF_W, to: 2, from: 1, offset: 4),
            instruction(BPF_ALU64 | BPF_MOV | BPF_X, to: 3, from: 6),
            instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 3, 42),
            instruction(BPF_JMP | BPF_JGT | BPF_X, to: 3, from: 2, offset: Int16(changes.count)),
        ] + changes + [
            instruction(BPF_ALU64 | BPF_MOV | BPF_K, to: 1, Int32(bitPattern: interface)),
            instruction(BPF_ALU64 | BPF_MOV | BPF_K, to: 2, 0),
            call(BPF_FUNC_redirect),
            instruction(BPF_JMP | BPF_EXIT),
        ]
    }

    private static func changes(_ variation: Variation) -> [bpf_insn] {
        let random = call(BPF_FUNC_get_prandom_u32)
        switch variation {
        case .none: return []
        case .clients(let count):
            return [
                random,
                instruction(BPF_ALU64 | BPF_MUL | BPF_K, to: 0, Int32(bitPattern: count)),
                instruction(BPF_ALU64 | BPF_RSH | BPF_K, to: 0, 32),
                instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 0, 10 << 24),
                instruction(BPF_ALU | BPF_END | BPF_TO_BE, to: 0, 32),
                instruction(BPF_STX | BPF_MEM | BPF_W, to: 6, from: 0, offset: sourceAddress),
            ]
        case .spoofed(let ports):
            return [
                random,
                instruction(BPF_STX | BPF_MEM | BPF_W, to: 6, from: 0, offset: sourceAddress),
                random,
                instruction(BPF_STX | BPF_MEM | BPF_H, to: 6, from: 0, offset: sourcePort),
                random,
                instruction(BPF_ALU64 | BPF_AND | BPF_K, to: 0, 3),
                instruction(BPF_ALU64 | BPF_ADD | BPF_K, to: 0, Int32(ports)),
                instruction(BPF_ALU | BPF_END | BPF_TO_BE, to: 0, 16),
                instruction(BPF_STX | BPF_MEM | BPF_H, to: 6, from: 0, offset: destinationPort),
            ]
        }
    }

    private static func call(_ function: bpf_func_id) -> bpf_insn {
        instruction(BPF_JMP | BPF_CALL, Int32(function.rawValue))
    }

    private static func instruction(
        _ code: Int32,
        to: UInt8 = 0,
        from: UInt8 = 0,
        offset: Int16 = 0,
        _ value: Int32 = 0
    ) -> bpf_insn {
        bpf_insn(code: UInt8(code), dst_reg: to, src_reg: from, off: offset, imm: value)
    }
}
