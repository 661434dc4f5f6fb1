import BPF
import Flows
import KernelABI
import Packets
import Support
import Testing

/// The kernel's programs and the decoder in Swift are two makers of one value: real frames, whole and cut anywhere, must
/// give the same counters.
@Suite(
    "Kernel and Swift count alike",
    .serialized,
    needsRoot,
    .enabled(if: Captures.folder != nil, "no captures: set WEIR_TEST_DATA to the folder that holds pcap/")
)
struct ParityTests {
    /// Test runs refuse what is shorter than the header that the EtherType announces, and what is above 3,712 bytes.
    private static func sizes(_ bytes: [UInt8]) -> ClosedRange<Int> {
        guard bytes.count > 14 else { return 3712...3712 }
        return switch UInt16(bytes[12]) << 8 | UInt16(bytes[13]) {
        case 0x0800: 34...3712
        case 0x86DD: 54...3712
        default: 15...3712
        }
    }

    @Test(arguments: ["malformed", "linktype", "fragments", "tunnel", "protocols"])
    func capture(category: String) throws {
        let counted = try Counted()
        var frames = 0
        for file in try Captures.files(in: category) {
            try counted.reset()
            var counters = InterfaceCounters()
            try Captures.forEachFrame(of: file) { bytes, _, link in
                let sizes = Self.sizes(bytes)
                guard link == 1, sizes.contains(bytes.count) else { return }
                let isMalformed = category == "malformed" || category == "linktype"
                let lengths =
                    isMalformed
                    ? Array(stride(from: sizes.lowerBound, to: bytes.count, by: 7)) + [bytes.count] : [bytes.count]
                for length in lengths {
                    let part = Array(bytes.prefix(length))
                    let packet = Packet(decoding: unsafe part.span.bytes, wireLength: length)
                    counters.count(packet, .rx)
                    try counted.ingress(Program.TestFrame(part))
                    frames += 1
                }
            }
            let kernel = try counted.rx()
            let swift = unsafe Totals(unsafeBitCast(counters.rx, to: weir_direction.self))
            #expect(kernel == swift, "\(file)")
        }
        #expect(frames > 0)
        print("kernel and Swift counted \(frames) frames of \(category) alike")
    }
}
