#include "sim/model/aufs_inodes.h"

namespace lamina::sim {

std::uint64_t AufsInodes::NumberOf(const AufsReal& real) const {
  const auto found = numbers_.find(real);
  if (found != numbers_.end()) return found->second;
  return (static_cast<std::uint64_t>(real.branch + 1) << 32U) + real.ino;
}

const PseudoLink* AufsInodes::LinkOf(std::uint64_t number) const {
  const auto found = links_.find(number);
  return found == links_.end() ? nullptr : &found->second;
}

PseudoLink* AufsInodes::LinkOf(std::uint64_t number) {
  const auto found = links_.find(number);
  return found == links_.end() ? nullptr : &found->second;
}

std::uint32_t AufsInodes::TakenFrom(const AufsReal& real) const {
  const auto found = taken_.find(real);
  return found == taken_.end() ? 0 : found->second;
}

void AufsInodes::ForgetTaken(const std::set<AufsReal>& but) {
  std::erase_if(taken_, [&](const auto& item) { return !but.contains(item.first); });
}

void AufsInodes::AddLink(const AufsReal& source, const AufsReal& copy, std::uint32_t links) {
  const auto place = links_.try_emplace(NumberOf(source), PseudoLink{{source}, links});
  std::vector<AufsReal>& parts = place.first->second.parts;
  parts.insert(parts.begin(), copy);
}

void AufsInodes::ForgetBranch(int branch) {
  std::erase_if(links_,
                [&](const auto& item) { return item.second.parts.front().branch == branch; });
  for (auto& [number, link] : links_) {
    std::erase_if(link.parts, [&](const AufsReal& part) { return part.branch == branch; });
  }
}

}  // namespace lamina::sim
