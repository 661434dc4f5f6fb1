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
}
