import Glibc
import Linux
import Reports

/// A file of whole lines, rotated by size.
///
/// A line is never split over two files, and never half there: what a full disk cut is taken back. Lines reach the
/// kernel with each batch, so that the end of the process loses none; the disk at each rotation, at the end, and when
/// the kernel sees fit, so that a loss of power may cost the last half minute.
struct FileReceiver: ~Copyable, Receiver {
    private let settings: LineFileSettings
    /// What the lines are about.
    private let topic: String
    private let name: String
    private var directory: SafeDirectory?
    private var file: Descriptor?
    /// Of the open file.
    private var inode: (device: dev_t, number: ino_t) = (0, 0)
    private var size = 0

    let batch = Outbox.Batch(count: 4_096, bytes: 1 << 20, linger: 0)
    let descriptor: Int32 = -1

    /// Bytes at the end of a file in which the last whole line must end, else it is not continued.
    private static let tail = 1 << 16

    init(_ settings: LineFileSettings, topic: String) {
        self.settings = settings
        self.topic = topic
        name = settings.path.split(separator: "/").last.map(String.init) ?? ""
    }

    mutating func disconnect() {
        if let number = file?.rawValue { _ = fdatasync(number) }
        try? directory?.synchronize()
        file = nil
        directory = nil
    }

    mutating func deliver(_ documents: [Outbox.Document], _ outbox: Outbox) -> Outcome {
        var outcome = Outcome.all(.undecided, of: documents)
        var written = 0
        do throws(SystemError) {
            try prepare()
            while written < documents.count {
                var lines = size == 0 ? header : []
                var end = written
                while end < documents.count {
                    let line = documents[end][0]
                    // A line larger than a file has one of its own.
                    let isFull = size + lines.count + line.count + 1 > settings.size
                    if isFull, end > written || size > header.count { break }
                    lines += line
                    lines.append(UInt8(ascii: "\n"))
                    end += 1
                }
                if end == written {
                    try rotate()
                    try open()
                } else {
                    try write(lines)
                    for index in written..<end { outcome.fates[index] = .delivered }
                    written = end
                }
            }
        } catch {
            // Opened anew next time: whatever was wrong with the directory may be right by then.
            file = nil
            directory = nil
            outcome.failure = failure(error)
        }
        return outcome
    }

    private var header: [UInt8] { settings.header.isEmpty ? [] : settings.header + [UInt8(ascii: "\n")] }

    /// Opens the file, also when another program has moved or removed the one that is open.
    private mutating func prepare() throws(SystemError) {
        if file != nil, let status = directory?.status(of: name), inode == (status.st_dev, status.st_ino) { return }
        file = nil
        directory = nil
        try open()
        if size > 0, try !canContinue() {
            try rotate()
            try open()
        }
    }

    private mutating func open() throws(SystemError) {
        if directory == nil {
            let end = settings.path.lastIndex(of: "/") ?? settings.path.startIndex
            directory = try SafeDirectory(end == settings.path.startIndex ? "/" : String(settings.path[..<end]))
        }
        var status = stat()
        file = try directory?.append(to: name, &status)
        inode = (status.st_dev, status.st_ino)
        size = Int(status.st_size)
    }

    /// Whether lines may be added to what stands in the file: it begins as ours do, and a last line that is not whole,
    /// left by a loss of power, can be taken back. What begins like no file of ours is not touched.
    private mutating func canContinue() throws(SystemError) -> Bool {
        let start = try read(at: 0, max(header.count, 16))
        guard Self.beginnings.contains(where: { start.starts(with: $0.utf8) }) else {
            throw SystemError(
                "\(settings.path) holds something else than \(topic); move it away",
                .init(rawValue: EEXIST)
            )
        }
        guard settings.header.isEmpty ? start.starts(with: "{".utf8) : start.starts(with: header) else { return false }
        let offset = max(0, size - Self.tail)
        let tail = try read(at: offset, size - offset)
        guard let last = tail.lastIndex(of: UInt8(ascii: "\n")) else { return false }
        if offset + last + 1 < size { try cut(to: offset + last + 1) }
        return true
    }

    /// Of JSON lines and of CSV.
    private static let beginnings = ["{", "Flow ID,"]

    private mutating func read(at offset: Int, _ count: Int) throws(SystemError) -> [UInt8] {
        guard let number = file?.rawValue else { return [] }
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try check("read \(settings.path)") { unsafe pread(number, &bytes, count, off_t(offset)) }
        return Array(bytes[..<got])
    }

    private mutating func write(_ bytes: [UInt8]) throws(SystemError) {
        guard let number = file?.rawValue else { return }
        var written = 0
        do throws(SystemError) {
            while written < bytes.count {
                written += try check("write \(settings.path)") {
                    unsafe bytes.withUnsafeBytes { bytes in
                        unsafe Glibc.write(number, bytes.baseAddress.map { unsafe $0 + written }, bytes.count - written)
                    }
                }
            }
        } catch {
            try? cut(to: size)
            throw error
        }
        size += written
    }

    private mutating func cut(to length: Int) throws(SystemError) {
        guard let number = file?.rawValue else { return }
        try check("ftruncate \(settings.path)") { ftruncate(number, off_t(length)) }
        size = length
    }

    /// Full files move up by one name each, from the first free name or over the oldest: each step is one rename, so
    /// that a crash between two of them loses nothing.
    private mutating func rotate() throws(SystemError) {
        if let number = file?.rawValue { try check("fdatasync \(settings.path)") { fdatasync(number) } }
        if settings.keep == 0 {
            try directory?.remove(name)
        } else {
            var free = 1
            while free < settings.keep, directory?.status(of: "\(name).\(free)") != nil { free += 1 }
            for number in stride(from: free, to: 0, by: -1) {
                try directory?.rename(number == 1 ? name : "\(name).\(number - 1)", to: "\(name).\(number)")
            }
        }
        try directory?.synchronize()
        file = nil
    }

    private func failure(_ error: SystemError) -> DeliveryFailure {
        let label: String
        let advice: String
        switch error.errno.rawValue {
        case ENOSPC, EDQUOT: (label, advice) = ("disk_full", "; free space, or lower publish.\(topic).size and keep")
        case EPERM, EACCES, ELOOP, EEXIST: (label, advice) = ("refused", "")
        case ENOENT, ENOTDIR: (label, advice) = ("missing", "; make the directory")
        default: (label, advice) = ("io", "")
        }
        return DeliveryFailure(label: label, text: "\(error)\(advice)", state: .down, pause: .seconds(1))
    }
}
