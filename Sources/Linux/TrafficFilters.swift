import CLinux

extension NetlinkSocket {
    /// How many tc filters hang on the clsact qdisc of an interface, both directions together.
    public mutating func trafficFilters(interface: Int32) throws(NetlinkError) -> Int {
        var count = 0
        for hook in [TC_H_MIN_INGRESS, TC_H_MIN_EGRESS] {
            var request = tcmsg()
            request.tcm_ifindex = interface
            request.tcm_parent = TC_H_CLSACT & TC_H_MAJ_MASK | hook
            let filters: NetlinkDump<Void> = try dump(
                "netlink(RTM_GETTFILTER)",
                type: UInt16(RTM_GETTFILTER),
                payload: request,
                limit: .max
            ) { (message: borrowing NetlinkMessage) throws(NetlinkError) -> Void? in
                Int32(message.type) == Int32(RTM_NEWTFILTER) ? () : nil
            }
            count += filters.elements.count
        }
        return count
    }

    /// What the bpf filter with this handle on the clsact qdisc of an interface is called; nil when there is none.
    /// Who attached it has chosen the name. Unlike the program's own name it can be read without CAP_SYS_ADMIN.
    public mutating func trafficFilterName(
        interface: Int32,
        ingress: Bool,
        handle: UInt32
    ) throws(NetlinkError) -> String? {
        var request = tcmsg()
        request.tcm_ifindex = interface
        request.tcm_parent = TC_H_CLSACT & TC_H_MAJ_MASK | (ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS)
        let names: NetlinkDump<String> = try dump(
            "netlink(RTM_GETTFILTER)",
            type: UInt16(RTM_GETTFILTER),
            payload: request,
            limit: 1
        ) { (message: borrowing NetlinkMessage) throws(NetlinkError) -> String? in
            guard Int32(message.type) == Int32(RTM_NEWTFILTER) else { return nil }
            guard try message.header(tcmsg.self).tcm_handle == handle else { return nil }
            var attributes = message.attributes(after: MemoryLayout<tcmsg>.size)
            while let attribute = try attributes.next() {
                guard Int(attribute.type) == TCA_OPTIONS else { continue }
                var options = NetlinkAttributes(attribute.value)
                while let option = try options.next() {
                    if Int(option.type) == TCA_BPF_NAME { return option.text }
                }
            }
            return nil
        }
        return names.elements.first
    }
}
