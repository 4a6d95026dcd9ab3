import { lazy, Suspense } from "react";
import { Route, Routes } from "react-router";
import { Loading } from "../parts/Loading";
import { NotHere } from "./NotHere";
import { Shell } from "./Shell";

// Each page is a file of its own, loaded when it is first visited.
const Home = lazy(() => import("../pages/home/Home"));
const People = lazy(() => import("../pages/people/People"));
const Person = lazy(() => import("../pages/person/Person"));
const Systems = lazy(() => import("../pages/systems/Systems"));
const NewSystem = lazy(() => import("../pages/wizard/NewSystem"));
const Mappings = lazy(() => import("../pages/mapping/Mappings"));
const System = lazy(() => import("../pages/system/System"));
const Agents = lazy(() => import("../pages/agents/Agents"));
const Agent = lazy(() => import("../pages/agents/Agent"));
const Cycles = lazy(() => import("../pages/cycles/Cycles"));
const Cycle = lazy(() => import("../pages/cycles/Cycle"));
const Plan = lazy(() => import("../pages/plans/Plan"));
const Problems = lazy(() => import("../pages/problems/Problems"));
const History = lazy(() => import("../pages/history/History"));
const Webhook = lazy(() => import("../pages/notifications/Webhook"));
const Settings = lazy(() => import("../pages/settings/Settings"));

export function Pages() {
  return (
    <Shell>
      <Suspense fallback={<Loading />}>
        <Routes>
          <Route index element={<Home />} />
          <Route path="people" element={<People />} />
          <Route path="people/:key" element={<Person />} />
          <Route path="systems" element={<Systems />} />
          <Route path="systems/new" element={<NewSystem />} />
          <Route path="mappings" element={<Mappings />} />
          <Route path="systems/:name/:tab?" element={<System />} />
          <Route path="agents" element={<Agents />} />
          <Route path="agents/:id" element={<Agent />} />
          <Route path="cycles/:id" element={<Cycle />} />
          <Route path="changes/:tab?" element={<Cycles />} />
          <Route path="plans/:ref" element={<Plan />} />
          <Route path="problems" element={<Problems />} />
          <Route path="history/:tab?" element={<History />} />
          <Route path="settings/notifications/:id" element={<Webhook />} />
          <Route path="settings/:tab?" element={<Settings />} />
          <Route path="*" element={<NotHere />} />
        </Routes>
      </Suspense>
    </Shell>
  );
}
