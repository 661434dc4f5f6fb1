import Capture
import Glibc
import Linux

/// What a replay reads. Packets as the original system exported them are turned into a capture in memory first.
///
/// Sendable: descriptors are only opened again, through the paths.
struct ReplayInputs: Sendable {
    /// Paths for the timeline.
    private(set) var paths: [String] = []
    /// What could not be turned into a capture.
    private(set) var failures: [ReplaySummary.File] = []
    /// Whether each worker can read all of it.
    private(set) var canBeReadAgain = true
    /// What the paths of open files were called.
    private var names: [String: String] = [:]
    private var descriptors: [SharedDescriptor] = []

    init(_ inputs: [String]) {
        for path in inputs {
            let number = path == "-" ? dup(STDIN_FILENO) : unsafe open(path, O_RDONLY | O_CLOEXEC)
            // The timeline will say what is wrong.
            guard number >= 0 else {
                paths.append(path)
                continue
            }
            let file = Descriptor(owning: number)
            do throws(PacketListing.Failure) {
                if let listing = try PacketListing(file) {
                    add(listing.capture, name: path)
                    continue
                }
            } catch {
                failures.append(
                    .init(path: path, frames: 0, failure: "\(shown(path)): \(error)", isUnreadable: error.isUnreadable)
                )
                continue
            }
            if path != "-", isReopenable(file) {
                paths.append(path)
            } else {
                canBeReadAgain = false
                // A pipe whose only reader closes it ends its writer, so it stays open until it is read.
                if path == "-" { paths.append(path) } else { add(file, name: path) }
            }
        }
    }

    private mutating func add(_ file: consuming Descriptor, name: String) {
        let shared = SharedDescriptor(file)
        names[shared.path] = name
        paths.append(shared.path)
        descriptors.append(shared)
    }

    private func isReopenable(_ file: borrowing Descriptor) -> Bool {
        var status = stat()
        guard unsafe fstat(file.rawValue, &status) == 0 else { return false }
        return [S_IFREG, S_IFDIR].contains(status.st_mode & S_IFMT)
    }

    /// What a path of the timeline was called.
    func name(of path: String) -> String { names[path] ?? path }

    /// An error in words, with the file's own name.
    func told(_ error: CaptureFileError) -> String {
        guard let name = names[error.file] else { return "\(error)" }
        return "\(error)".replacing(error.file, with: shown(name))
    }
}

/// A file's name in a message.
private func shown(_ path: String) -> String {
    path == "-" ? "standard input" : String(harmless: path.utf8, limit: 4096)
}

/// A descriptor that lives as long as anyone knows it.
private final class SharedDescriptor: Sendable {
    private let descriptor: Descriptor

    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

    /// Opens the same file anew, from its start.
    var path: String { "/proc/self/fd/\(descriptor.rawValue)" }
}
