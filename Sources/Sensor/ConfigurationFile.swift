import CYAML
import Glibc
import Linux

/// The values of a YAML file as written, with the line of each. Read event by event, so that nothing is expanded: a
/// file with aliases, tags or a second document is refused at the first one, whatever its size.
struct ConfigurationFile {
    struct Entry: Equatable {
        var values: [String]
        var isList: Bool
        var line: Int
    }

    static let maximumSize = 1 << 20

    let path: String
    private(set) var entries: [String: Entry] = [:]
    private(set) var problems: [ConfigurationError.Problem] = []

    /// Reads the file. What is wrong with it stands in `problems`.
    init(path: String) {
        self.path = path
        do {
            let bytes = try Self.bytes(path)
            if bytes.count > Self.maximumSize {
                refuse("is larger than 1 MiB, which no configuration is", line: nil)
            } else {
                parse(bytes)
            }
        } catch {
            refuse("cannot be read: \(error.errno)", line: nil)
        }
    }

    /// Reads a text for which the path stands in messages.
    init(path: String, text: String) {
        self.path = path
        parse(Array(text.utf8))
    }

    /// The file's bytes, at most one more than are allowed.
    private static func bytes(_ path: String) throws(SystemError) -> [UInt8] {
        // Not blocking: a FIFO named as configuration must not hang the start.
        let number = try check("open") { unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
        let file = Descriptor(owning: number)
        var bytes = [UInt8](repeating: 0, count: maximumSize + 1)
        var count = 0
        while count < bytes.count {
            let got = try check("read") {
                unsafe bytes.withUnsafeMutableBytes { buffer in
                    unsafe read(file.rawValue, buffer.baseAddress?.advanced(by: count), buffer.count - count)
                }
            }
            if got == 0 { break }
            count += got
        }
        return Array(bytes[..<count])
    }

    private mutating func refuse(_ message: String, key: String = "", line: Int?) {
        let origin = line.map { "\(path):\($0)" } ?? path
        problems.append(ConfigurationError.Problem(key: key, value: nil, message: message, origin: origin))
    }
}

// MARK: - YAML

extension ConfigurationFile {
    private static let maximumDepth = 4

    /// Where in the tree the next event belongs.
    private struct Cursor {
        /// Keys of the mappings that are open, outermost first.
        var path: [String] = []
        /// Mappings that are open.
        var depth = 0
        /// The key whose value comes next.
        var key: String?
        /// The list that is open, with its line.
        var list: Entry?

        var dotted: String { (path + [key].compactMap(\.self)).joined(separator: ".") }
    }

    /// Walks the events until the end or the first thing that is refused.
    private mutating func parse(_ bytes: [UInt8]) {
        var parser = unsafe yaml_parser_t()
        guard unsafe yaml_parser_initialize(&parser) == 1 else {
            refuse("cannot be read: out of memory", line: nil)
            return
        }
        defer { unsafe yaml_parser_delete(&parser) }
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            unsafe walk(&parser)
        }
    }

    @unsafe private mutating func walk(_ parser: inout yaml_parser_t) {
        var cursor = Cursor()
        var documents = 0
        while true {
            var event = unsafe yaml_event_t()
            guard unsafe yaml_parser_parse(&parser, &event) == 1 else {
                let problem = unsafe parser.problem.map { unsafe String(cString: $0) } ?? "not YAML"
                let mark = unsafe parser.problem_mark
                refuse("is not YAML: \(problem), column \(mark.column + 1)", line: Int(mark.line) + 1)
                return
            }
            defer { unsafe yaml_event_delete(&event) }
            let line = unsafe Int(event.start_mark.line) + 1
            switch unsafe event.type {
            case YAML_STREAM_END_EVENT:
                return
            case YAML_DOCUMENT_START_EVENT:
                documents += 1
                if documents > 1 { return refuse("holds a second document; one is allowed", line: line) }
            case YAML_ALIAS_EVENT:
                return refuse("uses an alias (*name); write the value out", line: line)
            case YAML_SCALAR_EVENT:
                let scalar = unsafe event.data.scalar
                if unsafe scalar.anchor != nil || scalar.tag != nil { return refuseDecoration(line) }
                let text = unsafe String(
                    decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length),
                    as: UTF8.self
                )
                let isPlain = unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE
                guard take(text, isPlain: isPlain, at: line, &cursor) else { return }
            case YAML_SEQUENCE_START_EVENT:
                let sequence = unsafe event.data.sequence_start
                if unsafe sequence.anchor != nil || sequence.tag != nil { return refuseDecoration(line) }
                guard cursor.key != nil, cursor.list == nil else {
                    return refuse("holds a list where a \(cursor.depth == 0 ? "key" : "value") belongs", line: line)
                }
                cursor.list = Entry(values: [], isList: true, line: line)
            case YAML_SEQUENCE_END_EVENT:
                if let list = cursor.list { enter(list, &cursor) }
                cursor.list = nil
            case YAML_MAPPING_START_EVENT:
                let mapping = unsafe event.data.mapping_start
                if unsafe mapping.anchor != nil || mapping.tag != nil { return refuseDecoration(line) }
                guard cursor.list == nil, cursor.depth == 0 || cursor.key != nil, cursor.depth < Self.maximumDepth
                else {
                    return refuse("holds a mapping where a value belongs", key: cursor.dotted, line: line)
                }
                if let key = cursor.key { cursor.path.append(key) }
                cursor.key = nil
                cursor.depth += 1
            case YAML_MAPPING_END_EVENT:
                cursor.depth -= 1
                if !cursor.path.isEmpty { cursor.path.removeLast() }
                cursor.key = nil
            default:
                break
            }
        }
    }

    private mutating func refuseDecoration(_ line: Int) {
        refuse("uses an anchor (&name) or a tag (!name); write the value plainly", line: line)
    }

    /// Takes a scalar as key, element of a list or value; false when the file cannot go on.
    private mutating func take(_ text: String, isPlain: Bool, at line: Int, _ cursor: inout Cursor) -> Bool {
        if cursor.list != nil {
            cursor.list?.values.append(text)
        } else if cursor.key != nil {
            // An empty value, such as a section whose keys are all comments, leaves the default.
            if isPlain, ["", "~", "null", "Null", "NULL"].contains(text) {
                cursor.key = nil
            } else {
                enter(Entry(values: [text], isList: false, line: line), &cursor)
            }
        } else if cursor.depth > 0 {
            cursor.key = text
        } else if !(isPlain && text.isEmpty) {
            refuse("holds a value alone; write key: value", line: line)
            return false
        }
        return true
    }

    private mutating func enter(_ entry: Entry, _ cursor: inout Cursor) {
        let key = cursor.dotted
        cursor.key = nil
        if let first = entries[key] {
            refuse("stands twice; first at line \(first.line)", key: key, line: entry.line)
        } else {
            entries[key] = entry
        }
    }
}
