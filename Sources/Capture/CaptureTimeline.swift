import Glibc
import Linux

/// The frames of many capture files as one timeline.
///
/// Files are merged by the running maximum of their times; what is equally old comes in the order of the files. The frames
/// of one file keep their order, even where their time steps back. A file that cannot be read, or not to its end, ends
/// there, is told of in `files`, and stops no other. Interfaces are numbered across all files: see `FrameInfo.interface`.
///
/// Files are opened when their time has come. All together have 16 MiB mapped as long as no more than 64 overlap in time,
/// and a quarter MiB for each one above.
@safe
// Sendable: it cannot be copied, so one thread at a time reads.
public struct CaptureTimeline: ~Copyable, @unchecked Sendable {
    /// One file, and what became of it.
    public struct File: Equatable, Sendable {
        public let path: String
        /// Frames read. Final when the timeline has come to the file's end.
        public fileprivate(set) var frames: UInt64 = 0
        /// Why it was not read to its end.
        public fileprivate(set) var error: CaptureFileError?
    }

    /// The files, those of a folder by name where the folder was given.
    public private(set) var files: [File] = []
    /// Files in folders that are no captures.
    public private(set) var skipped = 0

    /// A file that is open, and the frame of it that comes next.
    private struct Source: ~Copyable {
        var reader: CaptureReader
        var head: FrameInfo
        /// The highest time so far.
        var time: Int64
        let order: Int
    }

    /// A file whose time has not come.
    @safe
    private struct Waiting {
        let time: Int64
        let order: Int
        /// nil until it is opened (again).
        let source: UnsafeMutablePointer<Source>?

        init(time: Int64, order: Int) {
            self.time = time
            self.order = order
            unsafe source = nil
        }

        init(_ source: UnsafeMutablePointer<Source>) {
            time = unsafe source.pointee.time
            order = unsafe source.pointee.order
            unsafe self.source = unsafe source
        }

        func isBefore(_ other: Waiting) -> Bool { (time, order) < (other.time, other.order) }
    }

    /// The file of the last frame.
    private var current: UnsafeMutablePointer<Source>?
    /// A heap: the first is the one whose time comes first.
    private var waiting: [Waiting] = []
    private let numbers = InterfaceNumbers()
    private let window: Int

    /// Takes files, folders (each capture in it, sorted by name; not what lies in folders inside it) and "-", which is
    /// standard input.
    ///
    /// The first frame of each file is read at once if there are several: `files` then tells already which are unreadable.
    public init(_ paths: [String]) {
        let found = Self.expand(paths)
        let (least, most) = (256 << 10, 64)
        window = max(least, CaptureReader.window / min(max(found.count, 1), most))
        for entry in found {
            let order = files.count
            if let error = entry.error {
                files.append(File(path: entry.path, error: error))
            } else if found.count == 1, !entry.isFromFolder {
                files.append(File(path: entry.path))
                waiting.append(Waiting(time: .min, order: order))
            } else {
                peek(entry.path, order: order, isFromFolder: entry.isFromFolder, isRegular: entry.isRegular)
            }
        }
        waiting.sort { $0.isBefore($1) }
    }

    deinit {
        unsafe Self.close(current)
        for entry in waiting { unsafe Self.close(entry.source) }
    }

    /// Reads the next frame; its bytes are then `bytes`.
    /// - Returns: nil when all files are at their end.
    public mutating func next() -> FrameInfo? {
        guard let source = unsafe current else { return nextFile() }
        do throws(CaptureFileError) {
            guard let info = try unsafe source.pointee.reader.next() else { return finish(nil) }
            let time = unsafe max(source.pointee.time, info.time)
            unsafe source.pointee.time = time
            let order = unsafe source.pointee.order
            if time < limit.time || time == limit.time && order < limit.order { return info }
            return handOver(info)
        } catch {
            return finish(error)
        }
    }

    /// The captured bytes of the last frame, from its link header on and without its check sequence, until the next is
    /// read; empty before the first and behind the last.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        @inline(__always)
        get {
            guard let current = unsafe current else { return RawSpan() }
            let span = unsafe RawSpan(
                _unsafeStart: current.pointee.reader.frame,
                byteCount: current.pointee.reader.frameCount
            )
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// When another file's turn comes.
    private var limit = (time: Int64.max, order: Int.max)
}

// MARK: - Changing files

extension CaptureTimeline {
    /// The current file's next frame is younger than another file's: that one's turn.
    @inline(never)
    private mutating func handOver(_ info: FrameInfo) -> FrameInfo? {
        guard let source = unsafe current, let next = waiting.first else { return info }
        unsafe source.pointee.head = info
        waiting[0] = unsafe Waiting(source)
        sink()
        unsafe current = nil
        return start(next) ?? nextFile()
    }

    /// The current file is at its end.
    @inline(never)
    private mutating func finish(_ error: CaptureFileError?) -> FrameInfo? {
        if let source = unsafe current {
            let order = unsafe source.pointee.order
            files[order].frames = unsafe source.pointee.reader.frames
            files[order].error = error
            unsafe Self.close(source)
            unsafe current = nil
        }
        return nextFile()
    }

    @inline(never)
    private mutating func nextFile() -> FrameInfo? {
        while let next = waiting.first {
            let last = waiting.removeLast()
            if !waiting.isEmpty {
                waiting[0] = last
                sink()
            }
            if let info = start(next) { return info }
        }
        return nil
    }

    /// Makes a file the current one.
    /// - Returns: its next frame; nil when it has none.
    private mutating func start(_ next: Waiting) -> FrameInfo? {
        let source: UnsafeMutablePointer<Source>
        if let open = unsafe next.source {
            unsafe source = open
        } else {
            do throws(CaptureFileError) {
                let reader = try CaptureReader(path: files[next.order].path, window: window, numbers: numbers)
                guard let open = unsafe try open(reader, order: next.order) else { return nil }
                unsafe source = open
            } catch {
                files[next.order].frames = error.frames
                files[next.order].error = error
                return nil
            }
        }
        unsafe current = source
        limit = waiting.first.map { ($0.time, $0.order) } ?? (.max, .max)
        return unsafe source.pointee.head
    }

    /// Reads a file's first frame.
    /// - Returns: nil when it has none.
    private func open(
        _ reader: consuming CaptureReader,
        order: Int
    ) throws(CaptureFileError) -> UnsafeMutablePointer<Source>? {
        guard let head = try reader.next() else { return nil }
        let source = UnsafeMutablePointer<Source>.allocate(capacity: 1)
        unsafe source.initialize(to: Source(reader: reader, head: head, time: head.time, order: order))
        return unsafe source
    }

    private static func close(_ source: UnsafeMutablePointer<Source>?) {
        guard let source = unsafe source else { return }
        unsafe source.deinitialize(count: 1)
        unsafe source.deallocate()
    }

    /// Moves the first of the heap down to where it belongs.
    private mutating func sink() {
        var place = 0
        while true {
            let (left, right) = (2 * place + 1, 2 * place + 2)
            var least = place
            if left < waiting.count, waiting[left].isBefore(waiting[least]) { least = left }
            if right < waiting.count, waiting[right].isBefore(waiting[least]) { least = right }
            if least == place { return }
            waiting.swapAt(place, least)
            place = least
        }
    }
}

// MARK: - Finding files

extension CaptureTimeline {
    private struct Entry {
        let path: String
        var isFromFolder = false
        var isRegular = false
        var error: CaptureFileError?
    }

    /// Finds out when a file starts, and closes it again if it can be opened once more.
    private mutating func peek(_ path: String, order: Int, isFromFolder: Bool, isRegular: Bool) {
        var file = File(path: path)
        do throws(CaptureFileError) {
            if isRegular {
                // Numbers are given in the order of the timeline, not of the files.
                var reader = try CaptureReader(path: path, window: 64 << 10, numbers: InterfaceNumbers())
                if let head = try reader.next() {
                    waiting.append(Waiting(time: head.time, order: order))
                }
            } else {
                let reader = try CaptureReader(path: path, window: window, numbers: numbers)
                if let source = unsafe try open(reader, order: order) {
                    waiting.append(unsafe Waiting(source))
                }
            }
        } catch {
            if isFromFolder, error.reason == .notACapture {
                skipped += 1
                return
            }
            file.error = error
        }
        files.append(file)
    }

    private static func expand(_ paths: [String]) -> [Entry] {
        var entries: [Entry] = []
        for path in paths {
            if path != "-", kind(of: path) == S_IFDIR {
                do throws(SystemError) {
                    for name in try names(in: path) {
                        let file = path.hasSuffix("/") ? path + name : path + "/" + name
                        // Neither a folder nor a pipe, which would wait for its writer. What is nothing gets its error.
                        let kind = kind(of: file)
                        if kind == S_IFREG || kind == nil {
                            entries.append(Entry(path: file, isFromFolder: true, isRegular: true))
                        }
                    }
                } catch {
                    entries.append(Entry(path: path, error: CaptureFileError(.system(error), file: path)))
                }
            } else {
                entries.append(Entry(path: path, isRegular: path != "-" && kind(of: path) == S_IFREG))
            }
        }
        return entries
    }

    /// The file's type bits; nil if there is no such file.
    private static func kind(of path: String) -> mode_t? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & S_IFMT : nil
    }

    /// Sorted by their bytes.
    private static func names(in folder: String) throws(SystemError) -> [String] {
        guard let stream = unsafe opendir(folder) else { throw SystemError("opendir", .current) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            unsafe names.append(
                withUnsafeBytes(of: &entry.pointee.d_name) {
                    unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
            )
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }
}
