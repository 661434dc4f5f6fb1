import Glibc
import Linux

/// A directory in which nobody but root and the sensor's own user decides what stands under a name: what is opened in
/// it was not planted by a stranger, who could otherwise have the sensor write elsewhere.
struct SafeDirectory: ~Copyable {
    let descriptor: Descriptor

    /// Opens a directory by an absolute path. Symbolic links on the way are followed once; then every directory of the
    /// resolved path must belong to root or this process's user, and not be writable by others, save where the sticky
    /// bit keeps them from renaming what is ours.
    init(_ path: String) throws(SystemError) {
        guard let resolved = unsafe realpath(path, nil) else { throw SystemError("open \(path)", .current) }
        let canonical = unsafe String(cString: resolved)
        unsafe free(resolved)
        let flags = O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var current = Descriptor(owning: try check("open /") { unsafe open("/", O_RDONLY | flags) })
        try Self.examine(current, "/")
        var walked = ""
        for part in canonical.split(separator: "/").map(String.init) {
            walked += "/" + part
            let number = try check("open \(walked)") { unsafe openat(current.rawValue, part, O_RDONLY | flags) }
            current = Descriptor(owning: number)
            try Self.examine(current, walked)
        }
        descriptor = current
    }

    private static func examine(_ directory: borrowing Descriptor, _ path: String) throws(SystemError) {
        var status = stat()
        let number = directory.rawValue
        try check("fstat \(path)") { unsafe fstat(number, &status) }
        let isOurs = status.st_uid == 0 || status.st_uid == geteuid()
        let isShared = status.st_mode & S_IWOTH != 0 || (status.st_mode & S_IWGRP != 0 && status.st_gid != 0)
        guard isOurs, !isShared || status.st_mode & S_ISVTX != 0 else {
            throw SystemError(
                "\(path) can be changed by others than root; take that away, or choose another",
                .init(rawValue: EPERM)
            )
        }
    }

    /// Opens a regular file of ours to append to, and makes it (0640) where there is none.
    /// - Parameter status: what was found out about it.
    func append(to name: String, _ status: inout stat) throws(SystemError) -> Descriptor {
        let directory = descriptor.rawValue
        let number = try check("open \(name)") {
            unsafe openat(
                directory,
                name,
                O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
                0o640
            )
        }
        let file = Descriptor(owning: number)
        try check("fstat \(name)") { unsafe fstat(number, &status) }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_uid == geteuid(), status.st_nlink == 1 else {
            throw SystemError("\(name) is not a file of the sensor's own; move it away", .init(rawValue: EPERM))
        }
        // Whatever the umask says, the group may read.
        if status.st_size == 0 { try check("fchmod \(name)") { fchmod(number, 0o640) } }
        return file
    }

    /// What stands under a name, links not followed; nil when nothing does.
    func status(of name: String) -> stat? {
        var status = stat()
        guard unsafe fstatat(descriptor.rawValue, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return nil }
        return status
    }

    /// Gives a file another name in one step, in place of what stood there.
    func rename(_ old: String, to new: String) throws(SystemError) {
        let directory = descriptor.rawValue
        try check("rename \(old)") { unsafe renameat(directory, old, directory, new) }
    }

    func remove(_ name: String) throws(SystemError) {
        let directory = descriptor.rawValue
        try check("unlink \(name)") { unsafe unlinkat(directory, name, 0) }
    }

    /// Brings names and renames to the disk.
    func synchronize() throws(SystemError) {
        let directory = descriptor.rawValue
        try check("fsync") { fsync(directory) }
    }
}
