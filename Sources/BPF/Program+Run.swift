import CLibBPF
import Linux

extension Program {
    /// The frame that a program is tried on.
    public struct TestFrame: Sendable {
        /// From the link header on; the kernel takes 14 to 3,712 bytes.
        public var bytes: [UInt8]
        /// The interface that it seems to come from; it must exist. 1 is loopback.
        public var interface: UInt32
        /// Bytes of payload in each packet of a segmented frame; 0: not segmented.
        public var segmentSize: UInt32
        /// Packets in a segmented frame.
        public var segments: UInt32
        /// Bytes in the linear part; nil: all. From Linux 6.18 on.
        public var linear: UInt32?

        public init(
            _ bytes: [UInt8],
            interface: UInt32 = 1,
            segmentSize: UInt32 = 0,
            segments: UInt32 = 0,
            linear: UInt32? = nil
        ) {
            self.bytes = bytes
            self.interface = interface
            self.segmentSize = segmentSize
            self.segments = segments
            self.linear = linear
        }
    }

    /// What a program answered, and how long a run took on average.
    public struct TestResult: Equatable, Sendable {
        public let answer: Int32
        public let nanosecondsPerRun: UInt32
    }

    /// Runs the program on a frame without an interface (`BPF_PROG_TEST_RUN`). Needs CAP_NET_ADMIN and CAP_BPF.
    ///
    /// Of a socket filter's frame the kernel takes the first 14 bytes away, before the filter sees it.
    @discardableResult
    public func run(_ frame: TestFrame, times: Int32 = 1) throws(BPFError) -> TestResult {
        var context = unsafe __sk_buff()
        unsafe context.ifindex = frame.interface
        unsafe context.gso_size = frame.segmentSize
        unsafe context.gso_segs = frame.segments
        if let linear = frame.linear { unsafe context.data_end = linear }
        var options = unsafe bpf_test_run_opts()
        unsafe options.sz = size(through: \bpf_test_run_opts.duration)
        unsafe options.data_size_in = UInt32(frame.bytes.count)
        unsafe options.ctx_size_in = UInt32(MemoryLayout<__sk_buff>.size)
        unsafe options.`repeat` = times
        let number = descriptor.rawValue
        let result = unsafe frame.bytes.withUnsafeBytes { bytes in
            unsafe withUnsafeBytes(of: &context) { context in
                unsafe options.data_in = bytes.baseAddress
                unsafe options.ctx_in = context.baseAddress
                return unsafe bpf_prog_test_run_opts(number, &options)
            }
        }
        try attempt("bpf(BPF_PROG_TEST_RUN, \(name), \(frame.bytes.count) bytes)") { result }
        return unsafe TestResult(answer: Int32(bitPattern: options.retval), nanosecondsPerRun: options.duration)
    }
}
