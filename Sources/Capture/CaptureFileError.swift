public import Linux

/// A capture file that cannot be read, or not further.
public struct CaptureFileError: Error, Equatable, Sendable, CustomStringConvertible {
    public let reason: Reason
    /// Bytes from the start of the file to the header or record that failed.
    public let offset: UInt64
    /// Frames read before it.
    public let frames: UInt64

    init(_ reason: Reason, offset: UInt64, frames: UInt64) {
        self.reason = reason
        self.offset = offset
        self.frames = frames
    }

    public enum Reason: Error, Equatable, Sendable {
        case notACapture
        /// A format that is not read.
        case pcapng
        /// A gzip file.
        case compressed
        case version(major: UInt16, minor: UInt16)
        /// The file ends inside a header or a frame.
        case cut(missing: Int)
        /// A record claims this many captured bytes.
        case recordTooLong(UInt32)
        case system(SystemError)
    }

    public var description: String {
        let place = "at byte \(offset), after \(frames) frames"
        switch reason {
        case .notACapture: return "not a capture: it starts with no magic number of the pcap format"
        case .pcapng: return "a pcapng file: convert it first, for example with `tcpdump -r FILE -w NEW`"
        case .compressed: return "compressed: unpack it first with gunzip"
        case .version(let major, let minor): return "pcap version \(major).\(minor): only version 2 is read"
        case .cut(let missing): return "the file is cut: \(missing) bytes are missing \(place)"
        case .recordTooLong(let length):
            return "corrupt \(place): a record claims \(length) bytes, more than \(PcapReader.longestRecord)"
        case .system(let error): return "\(error) \(place)"
        }
    }
}
