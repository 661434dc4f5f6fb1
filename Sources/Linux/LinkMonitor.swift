import CLinux
import Glibc

/// What happened to a link.
public enum LinkChange: Equatable, Sendable {
    /// It is new here; its counters start anew, whatever a link of that name counted before.
    case added(Link)
    case deleted(Link)
    case renamed(Link, from: String)
    /// `isUp` or `isRunning` changed.
    case state(Link)
}

/// The links of a namespace as last heard of, and what each message changes. A plain value.
public struct LinkInventory: Equatable, Sendable {
    /// By index.
    public private(set) var links: [Int32: Link] = [:]

    public init() {}

    /// Takes in a link as the kernel now describes it.
    public mutating func update(_ link: Link) -> [LinkChange] {
        let old = links.updateValue(link, forKey: link.index)
        guard let old else { return [.added(link)] }
        var changes: [LinkChange] = []
        if old.name != link.name { changes.append(.renamed(link, from: old.name)) }
        if old.isUp != link.isUp || old.isRunning != link.isRunning { changes.append(.state(link)) }
        return changes
    }

    /// Forgets a deleted link.
    public mutating func remove(index: Int32) -> [LinkChange] {
        links.removeValue(forKey: index).map { [.deleted($0)] } ?? []
    }

    /// Takes in the whole table, after notifications were lost.
    public mutating func replace(with table: [Link]) -> [LinkChange] {
        let present = Set(table.map(\.index))
        var changes: [LinkChange] = []
        for index in links.keys.sorted() where !present.contains(index) { changes += remove(index: index) }
        for link in table { changes += update(link) }
        return changes
    }
}

/// Follows the links of a network namespace through the kernel's notifications.
public struct LinkMonitor: ~Copyable, Sendable {
    private var socket: NetlinkSocket
    private var tables: LinkTables
    public private(set) var inventory = LinkInventory()
    /// How often notifications were lost or not readable, and the whole table was read again.
    public private(set) var overruns: UInt64 = 0

    /// Starts listening, then reads the table: what changes in between is seen twice rather than never.
    public init() throws(NetlinkError) {
        let socket = try NetlinkSocket(.route, groups: UInt32(RTMGRP_LINK))
        var tables = try LinkTables()
        let links = try tables.links()
        self.socket = socket
        self.tables = tables
        _ = inventory.replace(with: links)
    }

    /// Readable when there may be a change; for poll(2) and epoll(7).
    public var pollDescriptor: Int32 { socket.descriptor.rawValue }

    /// What has changed since the last call, in order; empty when nothing has. Never blocks.
    public mutating func changes() throws(NetlinkError) -> [LinkChange] {
        var changes: [LinkChange] = []
        var inventory = self.inventory
        var isComplete: Bool
        do throws(NetlinkError) {
            isComplete = try socket.drain { (message) throws(NetlinkError) in
                guard let link = try Link(message) else { return }
                changes +=
                    message.type == UInt16(RTM_DELLINK) ? inventory.remove(index: link.index) : inventory.update(link)
            }
        } catch .system(let error) {
            throw .system(error)
        } catch {
            // A notification that cannot be read is as good as lost.
            isComplete = false
        }
        if !isComplete {
            overruns += 1
            changes += inventory.replace(with: try tables.links())
        }
        self.inventory = inventory
        return changes
    }
}
