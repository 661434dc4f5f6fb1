public import Linux

/// A capture file that cannot be read, or not further. What was read before stays true.
public struct CaptureFileError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Its path; "-" for standard input.
    public let file: String
    public let reason: Reason
    /// Bytes from the start of the file, or of the unpacked data, to the header, record or block that failed.
    public let offset: UInt64
    /// Frames read before it.
    public let frames: UInt64

    init(_ reason: Reason, file: String, offset: UInt64 = 0, frames: UInt64 = 0) {
        self.file = file
        self.reason = reason
        self.offset = offset
        self.frames = frames
    }

    public enum Reason: Error, Equatable, Sendable {
        case notACapture
        /// Of the pcap or pcapng format.
        case version(format: String, major: UInt16, minor: UInt16)
        /// The file ends inside a header, record or block.
        case cut(missing: Int)
        /// A record or block claims this many bytes.
        case tooLong(UInt32)
        /// A block claims fewer bytes than its kind has at least.
        case blockTooShort(kind: UInt32, length: UInt32)
        /// A block says another length at its end than at its start.
        case lengthMismatch(start: UInt32, end: UInt32)
        /// A section that starts with no byte order.
        case noByteOrder(UInt32)
        /// A packet or option claims more bytes than its block has room for.
        case overrun(length: UInt32, room: Int)
        /// A packet of an interface that was not described before it.
        case noInterface(UInt32, known: Int)
        /// More interfaces than are told apart.
        case tooManyInterfaces
        /// Gzip data that cannot be unpacked, and why.
        case packed(String)
        case system(SystemError)
    }

    public var description: String {
        let name = String(harmless: file.utf8, limit: 4096)
        return "\(file == "-" ? "standard input" : name): \(sentence)"
    }

    private var sentence: String {
        let place = "at byte \(offset), after \(frames) frames"
        switch reason {
        case .notACapture: return "not a capture: it starts like neither pcap nor pcapng"
        case .version(let format, let major, let minor):
            return "\(format) version \(major).\(minor) is not read \(place)"
        case .cut(let missing): return "the file is cut: \(missing) bytes are missing \(place)"
        case .tooLong(let length):
            return "corrupt \(place): a record claims \(length) bytes, more than \(CaptureReader.longestRecord)"
        case .blockTooShort(let kind, let length):
            return "corrupt \(place): a block of kind \(kind) claims only \(length) bytes"
        case .lengthMismatch(let start, let end):
            return "corrupt \(place): a block says it has \(start) bytes, and at its end \(end)"
        case .noByteOrder(let word):
            return "corrupt \(place): a section has no byte order, but 0x\(String(word, radix: 16))"
        case .overrun(let length, let room):
            return "corrupt \(place): \(length) bytes are claimed where a block has room for \(room)"
        case .noInterface(let number, let known):
            return "corrupt \(place): a packet of interface \(number) where \(known) are described"
        case .tooManyInterfaces:
            return "more than \(InterfaceNumbers.limit) interfaces \(place)"
        case .packed(let what): return "\(what) \(place)"
        case .system(let error): return offset == 0 && frames == 0 ? "\(error)" : "\(error) \(place)"
        }
    }
}
