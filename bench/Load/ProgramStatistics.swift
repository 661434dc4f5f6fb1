import BPF
import CLibBPF
import Linux

/// Lets the kernel time every run of every program while it lives (`kernel.bpf_stats_enabled`). The timing itself costs
/// some 60 ns a run: measure an empty program beside the other.
struct ProgramStatistics: ~Copyable {
    private let switched: Descriptor

    init() throws(SystemError) {
        switched = Descriptor(owning: try check("bpf(BPF_ENABLE_STATS)") { bpf_enable_stats(BPF_STATS_RUN_TIME) })
    }

    struct Runs {
        var count: UInt64 = 0
        var nanoseconds: UInt64 = 0

        func perRun(since earlier: Runs) -> Double {
            Double(nanoseconds - earlier.nanoseconds) / Double(count - earlier.count)
        }
    }

    /// What a program has run while programs were timed.
    static func runs(of program: borrowing Program) throws(SystemError) -> Runs {
        var info = bpf_prog_info()
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        let number = program.descriptor.rawValue
        let result = unsafe bpf_obj_get_info_by_fd(number, &info, &size)
        guard result >= 0 else { throw SystemError("bpf(BPF_OBJ_GET_INFO_BY_FD)", Errno(rawValue: -result)) }
        return Runs(count: info.run_cnt, nanoseconds: info.run_time_ns)
    }
}
