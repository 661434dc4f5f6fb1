import Capture
import Packets

extension Packet {
    /// Reads a captured frame, from a ring or a file, in place.
    @inline(__always)
    mutating func decode(_ info: FrameInfo, _ bytes: RawSpan) {
        decode(
            bytes,
            link: Packets.LinkType(number: UInt32(info.link.rawValue)),
            wireLength: Int(info.wireLength),
            strippedTag: info.tag?.control,
            segmentSize: info.segmentSize
        )
    }
}
